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

    def test_as_a_tensor_too(self):
        x = self.array
        self.assertEqual(x.transpose(0, 1).shape, (3, 2))
        self.assertEqual(x.unsqueeze(-1).squeeze(-1).shape, x.squeeze(0).shape)
        self.assertEqual(x.view(3, 2).tolist(), x.reshape(3, 2).tolist())
        self.assertEqual(x.view(-1).size(0), 6)
        self.assertEqual(x.unsqueeze(0).flatten(1).shape, (1, 6))
        self.assertEqual((x.float().dtype, x.double().dtype, x.half().dtype, x.long().dtype), (np.float32, np.float64, np.float16, np.int64))
        self.assertEqual((x.device, x.requires_grad, x.numel()), ("cpu", False, 6))
        np.testing.assert_allclose(x.softmax(-1).sum(dim=-1), 1, rtol=1e-6)
        np.testing.assert_allclose(x.log_softmax(-1).exp(), x.softmax(dim=-1), rtol=1e-6)
        self.assertEqual(x.gather(1, np.array([[2], [0]])).tolist(), [[2], [3]])
        values, places = x.topk(2, dim=1)
        self.assertEqual((values.tolist(), places.tolist()), ([[2, 1], [5, 4]], [[2, 1], [2, 1]]))
        self.assertEqual(x.sort(dim=1, descending=True).indices.tolist(), [[2, 1, 0]] * 2)
        self.assertEqual(x.masked_fill(x > 3, -1).max().item(), 3)
        self.assertAlmostEqual(float(x.std(dim=1)[0]), 1.0)
        self.assertAlmostEqual(float(x.std(axis=1)[0]), (2 / 3) ** 0.5, 6)
        self.assertAlmostEqual(float(x.norm()), 55 ** 0.5, 5)
        self.assertEqual([part.tolist() for part in x.unbind(1)], [[0, 3], [1, 4], [2, 5]])
        self.assertEqual(Array([np.nan, 1]).nan_to_num().tolist(), [0, 1])
        self.assertEqual(x.expand(2, 2, 3).shape, (2, 2, 3))
        self.assertEqual(x.clamp(1, 4).tolist(), [[1, 1, 2], [3, 4, 4]])
        self.assertTrue(x.eq(self.plain).all())
        sorted_in_place = Array([3, 1, 2])
        sorted_in_place.sort()
        self.assertEqual(np.sort(Array([3, 1, 2])).tolist(), sorted_in_place.tolist())

    def test_dlpack(self):
        np.testing.assert_array_equal(np.from_dlpack(self.array), self.plain)


if __name__ == "__main__":
    unittest.main()
