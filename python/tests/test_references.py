"""What the real Inseq saved of tiny models: attribute() gives the same classes, tokens, shapes, types, places of NaN and numbers."""
import json
import pathlib
import tarfile
import tempfile
import unittest

import numpy as np

import cinseq
from cinseq.arrays import Array

PACKED = pathlib.Path(__file__).parents[2] / "tests" / "data" / "golden" / "architectures"


class References(unittest.TestCase):
    def check_array(self, ours, theirs):
        if theirs is None:
            self.assertIsNone(ours)
            return
        self.assertIs(type(ours), Array)
        self.assertEqual((ours.dtype, ours.shape), (np.dtype(np.float32), theirs.shape))
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
        largest = float(np.nanmax(np.abs(theirs), initial=0))
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * largest)

    def test_inseqs_files(self):
        for name in ("bart", "arcee"):
            with tempfile.TemporaryDirectory() as folder, tarfile.open(PACKED / f"{name}.tar.xz") as archive:
                archive.extractall(folder)
                root = pathlib.Path(folder)
                model = cinseq.load_model(root / "model")
                for case in json.loads((root / "cases.json").read_text())["cases"]:
                    file = case.pop("case") + ".json"
                    with self.subTest(f"{name}/{file}"):
                        theirs = cinseq.FeatureAttributionOutput.load(root / file)
                        ours = model.attribute(**case, show_progress=False)
                        self.assertIs(type(ours[0]), type(theirs[0]))
                        self.assertEqual([ours[0].source, ours[0].target, ours[0].attr_pos_start, ours[0].attr_pos_end],
                                         [theirs[0].source, theirs[0].target, theirs[0].attr_pos_start, theirs[0].attr_pos_end])
                        for member in ("source_attributions", "target_attributions"):
                            self.check_array(getattr(ours[0], member), getattr(theirs[0], member))
                        for group in ("step_scores", "sequence_scores"):
                            mine, wanted = getattr(ours[0], group), getattr(theirs[0], group)
                            self.assertEqual(sorted(mine), sorted(wanted))
                            for key, values in wanted.items():
                                self.check_array(mine[key], values)
                        self.assertLessEqual(set(theirs.info), set(ours.info))


if __name__ == "__main__":
    unittest.main()
