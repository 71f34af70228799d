#!/usr/bin/env python3
"""cinseq beside the real Inseq: files of either are loaded by the other, and what is printed and computed is the same. Ends with
"N passed, N failed"; without inseq and torch it says that it is skipped.

usage: PYTHON tests/inseq/interchange.py --library build/libcinseq.so.0   PYTHON has inseq 0.7.1 and torch
"""
import argparse
import logging
import os
import pathlib
import re
import sys
import tempfile
import unittest
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = sorted(path for path in (ROOT / "tests" / "data" / "results").glob("*.json")
                 if "tables" not in path.name and not path.name.startswith("inseq_"))
PRECISIONS = ("float32", "float16", "float8")
MODEL, PROMPT, WHOLE = ROOT / "models" / "stories260K", "<s>Once upon", "<s>Once upon a time there was a cat"
ARRAYS = ("source_attributions", "target_attributions")


def same_arrays(test, ours, theirs, **tolerance):
    if theirs is None or ours is None:
        test.assertTrue(theirs is None and ours is None)
        return
    test.assertEqual(tuple(ours.shape), tuple(theirs.shape))
    numpy.testing.assert_allclose(numpy.asarray(ours), numpy.asarray(theirs.float()), **({"rtol": 0, "atol": 0} | tolerance))


def same_sequences(test, ours, theirs, **tolerance):
    test.assertEqual(type(ours).__name__, type(theirs).__name__)
    for side in ("source", "target"):
        test.assertEqual([(t.token, t.id) for t in getattr(ours, side)], [(str(t.token), t.id) for t in getattr(theirs, side)])
    test.assertEqual((ours.attr_pos_start, ours.attr_pos_end), (theirs.attr_pos_start, theirs.attr_pos_end))
    for name in ARRAYS:
        same_arrays(test, getattr(ours, name), getattr(theirs, name), **tolerance)
    for group in ("step_scores", "sequence_scores"):
        test.assertEqual(sorted(getattr(ours, group)), sorted(getattr(theirs, group) or {}))
        for name, values in getattr(ours, group).items():
            same_arrays(test, values, getattr(theirs, group)[name], **tolerance)


class Interchange(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def each(self, check):
        """check(a result without steps, which Inseq cannot load, a path, options of save) for every result and form."""
        for path in RESULTS:
            for precision in PRECISIONS:
                for compress in (False, True):
                    with self.subTest(path.name, precision=precision, compress=compress):
                        ours = cinseq.FeatureAttributionOutput.load(path)
                        ours.step_attributions = None
                        check(ours, self.folder / "out.json", {"overwrite": True, "compress": compress, "scores_precision": precision})

    def test_inseq_loads_what_cinseq_saves(self):
        def check(ours, path, options):
            ours.save(path, **options)
            theirs = inseq.FeatureAttributionOutput.load(path, decompress=options["compress"])
            self.assertEqual(dict(theirs.info), ours.info)
            saved = cinseq.FeatureAttributionOutput.load(path)
            for a, b, whole in zip(saved, theirs, ours):
                same_sequences(self, a, b)
                for name in ARRAYS:  # rounded as torch rounds
                    values = getattr(whole, name)
                    if values is not None:
                        kind = {"float32": torch.float32, "float16": torch.float16, "float8": torch.float8_e4m3fn}[options["scores_precision"]]
                        same_arrays(self, getattr(a, name), torch.tensor(numpy.array(values)).to(kind))
        self.each(check)

    def test_cinseq_loads_what_inseq_saves(self):
        def check(ours, path, options):
            ours.save(path, overwrite=True)
            theirs = inseq.FeatureAttributionOutput.load(path)
            theirs.save(path, **options)
            again = cinseq.FeatureAttributionOutput.load(path)
            reference = inseq.FeatureAttributionOutput.load(path, decompress=options["compress"])
            for a, b in zip(again, reference):
                same_sequences(self, a, b)
        self.each(check)

    def test_the_bytes_of_a_file_are_inseqs(self):
        def check(ours, path, options):
            ours.save(path, overwrite=True)
            theirs = inseq.FeatureAttributionOutput.load(path)
            other = self.folder / "theirs.json"
            theirs.save(other, **options)
            ours.save(path, **options)
            mine, text = (file.read_bytes() for file in (path, other))
            if options["compress"]:
                self.assertEqual(mine[:10], text[:10])
                mine, text = gzip.decompress(mine), gzip.decompress(text)
            # 0.1 is written as 0.10000000000000001 by one and as 0.1 by the other, \\u4eca as \\u4ECA
            self.assertEqual(json.loads(mine), json.loads(text))
            self.assertEqual(*(re.sub(rb"\d+\.\d+(e-?\d+)?", b"0.0", file).lower() for file in (mine, text)))
        self.each(check)

    def test_aggregated_alike(self):
        for path in RESULTS:
            with self.subTest(path.name):
                ours = cinseq.FeatureAttributionOutput.load(path)
                ours.step_attributions = None
                ours.save(self.folder / "out.json", overwrite=True)
                theirs = inseq.FeatureAttributionOutput.load(self.folder / "out.json")
                for a, b in zip(ours, theirs):
                    extra = max(getattr(b, name).ndim for name in ARRAYS if getattr(b, name) is not None) - 2
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        reduced = b.aggregate(["mean"] * extra if "Multi" in type(b).__name__ else None)
                    same_sequences(self, a.aggregate(), reduced, rtol=1e-5, atol=1e-6)

    def test_printed_alike(self):
        ours = cinseq.FeatureAttributionOutput.load(RESULTS[0])
        ours.step_attributions = None
        ours.save(self.folder / "out.json")
        theirs = inseq.FeatureAttributionOutput.load(self.folder / "out.json")
        # a file has its fields in alphabetical order, and Inseq prints them so
        said = re.sub(r"torch\.(\w+) tensor of shape (\[.*?\]) on cpu", r"\1 array of shape \2", str(type(theirs[0])(**{name: getattr(theirs[0], name) for name in ours[0].to_dict()})))
        self.assertEqual(str(ours[0]), said)

    def test_a_run_of_each(self):
        """The same prompt and text, a real model: shapes, tokens, NaN and numbers."""
        theirs = inseq.load_model(str(MODEL), "saliency").attribute(PROMPT, WHOLE, step_scores=["probability", "entropy"], show_progress=False)
        ours = cinseq.load_model(str(MODEL), "saliency").attribute(PROMPT, WHOLE, step_scores=["probability", "entropy"], show_progress=False)
        same_sequences(self, ours[0], theirs[0], rtol=1e-3, atol=1e-5)
        scores, reference = ours.get_scores_dicts(), theirs.get_scores_dicts()
        self.assertEqual([list(part) for part in scores[0].values()], [list(part) for part in reference[0].values()])
        part, other = ours[0][1:3], theirs[0][1:3]
        same_sequences(self, part, other, rtol=1e-3, atol=1e-5)
        theirs.save(self.folder / "theirs.json")
        loaded = cinseq.FeatureAttributionOutput.load(self.folder / "theirs.json")
        same_sequences(self, loaded[0], theirs[0])
        merged = cinseq.merge_attributions([loaded, loaded])
        merged.save(self.folder / "merged.json")
        self.assertEqual(len(inseq.FeatureAttributionOutput.load(self.folder / "merged.json")), 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--library", required=True)
    os.environ["CINSEQ_LIBRARY"] = os.path.abspath(parser.parse_args().library)
    os.environ["HF_HUB_OFFLINE"] = "1"
    sys.path.insert(0, str(ROOT / "python" / "src"))
    global cinseq, gzip, inseq, json, numpy, torch
    try:
        import inseq
        import torch
    except ImportError as problem:
        print(f"SKIPPED: {problem}: PYTHON=... has to name a Python with inseq 0.7.1 and torch\n0 passed, 0 failed")
        return 0
    import gzip
    import json

    import cinseq
    import numpy
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=1).run(unittest.defaultTestLoader.loadTestsFromTestCase(Interchange))
    failed = len(result.failures) + len(result.errors)
    print(f"{max(result.testsRun - failed, 0)} passed, {failed} failed")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
