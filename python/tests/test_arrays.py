"""Arrays answer as numpy's and as tensors do."""
import unittest

import numpy as np

from cinseq.arrays import Array


class Arrays(unittest.TestCase):
    def setUp(self):
        self.plain = np.arange(6, dtype=np.float32).reshape(2, 3)
        self.array = Array(self.plain)

    def test_as_numpy(self):
        self.assertEqual(self.array.size, 6)
        self.assertEqual(self.array.sum(), 15)
        self.assertEqual(np.mean(self.array, axis=0).tolist(), [1.5, 2.5, 3.5])
        self.assertEqual(self.array.max(axis=1).tolist(), [2, 5])
        self.assertIs(type(self.array.numpy()), np.ndarray)

    def test_as_a_tensor(self):
        self.assertEqual(self.array.size(), (2, 3))
        self.assertEqual(self.array.size(-1), 3)
        self.assertEqual(self.array.sum(dim=-1, keepdim=True).shape, (2, 1))
        self.assertEqual(self.array.mean(dim=[0, 1]), 2.5)
        values, indices = self.array.max(dim=1)
        self.assertEqual((values.tolist(), indices.tolist()), ([2, 5], [2, 2]))
        self.assertEqual(self.array.argmax(dim=0).tolist(), [1, 1, 1])
        self.assertEqual(self.array.permute(1, 0).shape, (3, 2))
        self.assertEqual(self.array.detach().cpu().clone().float().dim(), 2)
        self.assertEqual(self.array[0, 1].item(), 1)
        self.assertEqual(self.array.to("cpu").tolist(), self.plain.tolist())

    def test_dlpack(self):
        np.testing.assert_array_equal(np.from_dlpack(self.array), self.plain)


if __name__ == "__main__":
    unittest.main()
