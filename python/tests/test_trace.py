"""Slopes of traced arrays against central differences, and what has none."""
import unittest

import numpy as np

from cinseq._trace import Traced
from cinseq.arrays import Array

IDS = np.array([[2]])


def in_place(x):
    made = x.softmax(-1)
    made += x
    made *= 2
    return made[0, 3]


FUNCTIONS = {
    "probability": lambda x: x.softmax(-1).gather(-1, IDS).squeeze(-1),
    "log probability": lambda x: x.log_softmax(dim=-1)[0, 2],
    "entropy": lambda x: -(x.softmax(-1) * x.log_softmax(-1)).sum(-1),
    "numpy's functions": lambda x: -np.sum(np.exp(x.log_softmax(-1)) * x.log_softmax(-1), axis=-1),
    "difference": lambda x: x.softmax(-1)[:, 1] - x.softmax(-1)[:, 4] ** 2 / 3,
    "max": lambda x: x.max(dim=-1).values * 2 + x.max() + x.max(-1),
    "margin": lambda x: x[0, 2] - x.masked_fill(np.arange(6) == 2, -np.inf).max(),
    "top": lambda x: x.topk(3).values.mean(),
    "where": lambda x: np.where(np.arange(6) > 3, x, x * x).sum(),
    "std": lambda x: x.std(dim=-1),
    "prod": lambda x: x.prod(),
    "cumsum": lambda x: (x.cumsum(dim=-1) ** 2).sum(),
    "sort": lambda x: (x.sort(dim=-1, descending=True).values * np.arange(6)).sum(),
    "log2": lambda x: np.log2(x.softmax(-1)[0, 1] / x.softmax(-1)[0, 2]),
    "norm": lambda x: x.norm(),
    "in place": in_place,
    "clamp": lambda x: x.clamp(-0.3, 0.4).sum() * 1.5,
    "moved": lambda x: (x.view(2, 3).transpose(0, 1) * np.arange(6).reshape(3, 2)).sum(),
    "expanded": lambda x: (x.unsqueeze(0).expand(4, 1, 6) * np.arange(4).reshape(4, 1, 1)).mean(),
    "chosen": lambda x: x.masked_select(np.arange(6) % 2 == 0).exp().sum() + x.index_select(1, [0, 0]).sum(),
    "constants": lambda x: x[0, int(x.argmax())] * x.detach().sum() * float(x[0, 0].item() > 100) + x[0, 1],
}


class Traces(unittest.TestCase):
    def setUp(self):
        self.z = np.random.default_rng(0).normal(size=(1, 6))

    def test_slopes(self):
        for name, function in FUNCTIONS.items():
            with self.subTest(name):
                leaf = Traced.made(self.z)
                made = function(leaf)
                self.assertIsInstance(made, Traced)
                self.assertAlmostEqual(float(made.plain().sum()), float(function(Array(self.z)).sum()), 12)
                slope, step = made.slope(leaf), 1e-5
                for i in range(6):
                    e = np.zeros_like(self.z)
                    e[0, i] = step
                    difference = float(function(Array(self.z + e)).sum()) - float(function(Array(self.z - e)).sum())
                    self.assertAlmostEqual(slope[0, i], difference / (2 * step), 6)

    def test_what_has_none(self):
        wrong = (lambda x: np.sin(x), lambda x: np.linalg.norm(x), lambda x: np.stack([x, x]), lambda x: np.add.reduce(x),
                 lambda x: x.__setitem__(0, 1))
        for function in wrong:
            with self.assertRaisesRegex(TypeError, "backward|masked_fill"):
                function(Traced.made(self.z))
        other = Traced.made(self.z)
        self.assertIsNone((other * 2).sum().slope(Traced.made(self.z)))


if __name__ == "__main__":
    unittest.main()
