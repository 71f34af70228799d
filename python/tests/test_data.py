"""Results as Inseq's data classes: slices, differences, merging, aggregation in all its forms, saving in all its forms, printing."""
import copy
import json
import pathlib
import pickle
import tempfile
import unittest

import numpy as np

import cinseq
from cinseq.data import (
    AggregationFunction,
    AggregatorPipeline,
    DecoderOnlyBatch,
    FeatureAttributionOutput,
    GranularFeatureAttributionStepOutput,
    PairAggregator,
    SequenceAttributionAggregator,
    SubwordAggregator,
    aggregation_functions,
    get_batch_from_inputs,
    slice_batch_from_position,
)
from cinseq.data.aggregator import AggregableMixin, Aggregator
from cinseq.utils.typing import TokenWithId

STORY = "Once upon a time there was a cat"


class Data(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.both, cls.decoder = cinseq.load_model("zh-en-mini", "saliency"), cinseq.load_model("stories260K", "saliency")
        cls.out = cls.both.attribute(["我很开心。", "你好。"], step_scores=["probability"], attribute_target=True,
                                     output_step_attributions=True, show_progress=False)
        cls.forced = [cls.decoder.attribute("Once upon", text, step_scores=["probability", "entropy"], show_progress=False)
                      for text in (STORY, STORY.replace("cat", "dog"))]

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_tokens(self):
        token = TokenWithId("a", 3)
        self.assertTrue(token == "a" and token == 3 and token == TokenWithId("a", 3) and token != "b" and token != 4 and token != TokenWithId("a", 4))
        self.assertEqual(f"{token}", "a")
        out = copy.deepcopy(self.out)
        out[0].source[0].token = "here"
        self.assertEqual(next(iter(next(iter(out.get_scores_dicts()[0]["source_attributions"].values())))), (0, "here"))

    def test_copies_of_what_nobody_has_looked_at(self):
        """Tokens and numbers are read from the library at the first look."""
        def fresh():
            return self.both.attribute("我很开心。", step_scores=["probability"], show_progress=False)

        for copied in (copy.copy, copy.deepcopy, lambda out: pickle.loads(pickle.dumps(out))):
            out = fresh()
            made = copied(out)
            self.assertEqual(made, out)
            self.assertEqual((made[0].source[0], made[0].source_attributions.shape), (out[0].source[0], out[0].source_attributions.shape))
        with self.assertRaisesRegex(AttributeError, "no 'sequences'"):
            out.sequences  # noqa: B018

    def test_slices_take_rows(self):
        sequence = self.forced[0][0]
        part = sequence[1:3]
        self.assertEqual([t.id for t in part.target[:2]], [t.id for t in sequence.target[1:3]])
        np.testing.assert_array_equal(part.target_attributions[:2], sequence.target_attributions[1:3])
        self.assertEqual(self.out[0][1:3].source, self.out[0].source[1:3])
        with self.assertRaisesRegex(TypeError, "slice"):
            sequence[1:]

    def test_differences_and_pairs(self):
        a, b = (out.aggregate()[0] for out in self.forced)
        difference = a - b
        np.testing.assert_allclose(difference.target_attributions, b.target_attributions - a.target_attributions, atol=1e-6)
        self.assertIn("→", difference.target[-1].token)
        for paired in (b, self.forced[1][0]):
            same = self.forced[0][0].aggregate(["vnorm", PairAggregator], paired_attr=paired)
            np.testing.assert_allclose(same.target_attributions, difference.target_attributions, atol=1e-6)
        whole = self.forced[0].aggregate("pair", paired_attr=self.forced[1])
        np.testing.assert_array_equal(whole[0].target_attributions, (self.forced[0][0] - self.forced[1][0]).target_attributions)
        with self.assertRaisesRegex(TypeError, "paired_attr"):
            self.forced[0].aggregate("pair")
        with self.assertRaises(ValueError):
            a - self.out[0].aggregate()

    def test_merging(self):
        merged = sum(self.forced)
        self.assertEqual((len(merged), merged.info["generated_texts"]), (2, [o.info["generated_texts"][0] for o in self.forced]))
        self.assertEqual(cinseq.merge_attributions(self.forced), merged)
        with self.assertRaisesRegex(ValueError, "differs from the first"):
            cinseq.merge_attributions([self.out, self.forced[0]])

    def test_aggregators_by_every_name(self):
        out = self.forced[0]
        same = [out.aggregate(), out.aggregate("vnorm"), out.aggregate("scores", "vnorm"), out.aggregate(["vnorm"]), out.aggregate([("scores", "vnorm")]),
                out.aggregate(SequenceAttributionAggregator, "vnorm"), out.aggregate(AggregatorPipeline([SequenceAttributionAggregator], ["vnorm"])),
                AggregatorPipeline(["vnorm"]).aggregate(out), out.aggregate(aggregate_fn="vnorm", do_post_aggregation_checks=False)]
        for other in same[1:]:
            np.testing.assert_array_equal(other[0].target_attributions, same[0][0].target_attributions)
        words = out.aggregate(["vnorm", SubwordAggregator])
        self.assertLess(len(words[0].target), len(out[0].target))
        raw = np.asarray(out[0].target_attributions)
        np.testing.assert_array_equal(out.aggregate("scores", select_idx=2, normalize=False)[0].target_attributions, raw[:, :, 2])
        rescaled = out.aggregate("sum", normalize=False, rescale=True)[0].target_attributions
        self.assertAlmostEqual(float(np.nanmax(np.abs(rescaled))), 1, 6)
        np.testing.assert_allclose(out.aggregate("sum", normalize=False)[0].target_attributions, raw.sum(-1), atol=1e-5)
        heads = self.both.attribute("你好。", method="attention", show_progress=False)
        np.testing.assert_allclose(heads.aggregate(["max", "mean"], select_idx=[0, 1], normalize=False)[0].source_attributions,
                                   np.asarray(heads[0].source_attributions)[..., :2].max(-1)[..., :2].mean(-1), atol=1e-6)
        for wrong in ("vnrom", ["scores", "subword"]):
            with self.subTest(wrong), self.assertRaisesRegex(ValueError, "vnorm|subwords"):
                out.aggregate(wrong)
        with self.assertRaises(TypeError):
            out.aggregate("scores", aggregate_fn=[3])
        with self.assertRaisesRegex(ValueError, "2 functions for 1"):
            out.aggregate("scores", ["mean", "max"])

    def test_a_function_of_ones_own_reduces_as_the_librarys(self):
        """Copies of the library's functions, under a name of their own, in every place that takes one."""
        class Mine(AggregationFunction):
            aggregation_function_name = "mine"

            def __call__(self, scores, dim, vnorm_ord=2):
                return self.copied(scores, dim, **({"vnorm_ord": vnorm_ord} if self.copied.aggregation_function_name == "vnorm" else {}))

        self.addCleanup(aggregation_functions._OWN.pop, "mine")
        self.assertIn("mine", cinseq.list_aggregation_functions())
        heads = self.both.attribute("你好。", method="attention", step_scores=["probability"], show_progress=False)
        spans = {"target_spans": [(1, 3)], "source_spans": [(0, 2)]}
        for name, copied in aggregation_functions._OF_LIBRARY.items():
            Mine.copied = copied()
            for out, more in ((self.out, {"vnorm_ord": 1}), (self.out, {"normalize": False, "select_idx": [0, -1]}), (heads, {"rescale": True, "normalize": False})):
                asked = [out.aggregate(fn, **more) for fn in (name, "mine")]
                self.assert_same(*asked)
            words = [out.aggregate(["mean", "mean", "subwords"], [None, None, fn]) for fn in (name, Mine)]
            self.assert_same(*words)
            self.assertLess(len(words[0][0].target), len(heads[0].target))
            self.assert_same(*(self.out.aggregate("spans", fn, **spans) for fn in (name, Mine())))
        self.assert_same(self.out.aggregate("max"), self.out.aggregate("scores", np.max))
        for wrong, fn, said in (("scores", lambda scores, dim: scores, "expected .4, 7.: it takes"), ("slices", np.max, "slices takes no function")):
            with self.assertRaisesRegex(TypeError, said):
                self.out.aggregate(wrong, fn, **spans)
        with self.assertRaisesRegex(ValueError, "no dimension that could be reduced"):
            self.out.aggregate(["mean", "mine"])

    def assert_same(self, ours, theirs):
        for a, b in zip(ours, theirs):
            self.assertIs(type(a), type(b))
            self.assertEqual(a, b)

    def test_functions_that_need_both_sides(self):
        class Joint(AggregationFunction):
            def __init__(self):
                self.takes_single_tensor, self.takes_sequence_scores = False, True

            def __call__(self, scores, dim, sequence_scores):
                assert isinstance(scores, tuple)
                most = max(float(np.nanmax(one)) for one in scores)
                return tuple(one.sum(dim=dim) / most for one in scores)

        self.assert_same(self.out.aggregate("scores", Joint), self.out.aggregate("sum"))  # normalised after that

    def test_the_default_can_be_changed(self):
        out = copy.deepcopy(self.out)
        self.assertEqual(out[0]._aggregator, "vnorm")
        out[0]._aggregator = ["mean", "subwords"]
        made = out.aggregate()
        self.assertEqual(made[0], out.aggregate(["mean", "subwords"])[0])
        self.assertEqual(made[1], out.aggregate("vnorm")[1])
        self.assertEqual(out[1].aggregate(out[1]._aggregator), made[1])
        heads = self.both.attribute("你好。", method="attention", show_progress=False)
        self.assertEqual(heads[0].aggregate(heads[0]._aggregator), heads[0].aggregate())
        self.assertIsInstance(heads[0], AggregableMixin)

    def test_batches_before_a_position(self):
        batch = DecoderOnlyBatch.from_batch(get_batch_from_inputs(self.decoder, "Once upon a time"))
        before, ids = slice_batch_from_position(batch, 2)
        self.assertEqual((before.target_ids.shape[1], int(ids[0])), (2, int(batch.target_ids[0, 2])))
        before, ids = slice_batch_from_position(batch, 5, [[(5, 3), (5, 1)]])
        self.assertEqual((before.target_tokens[0], int(ids[0])), (batch.target_tokens[0][:1], int(batch.target_ids[0, 1])))

    def test_an_aggregator_of_ones_own(self):
        class Doubled(Aggregator):
            aggregator_name = "doubled"

            @classmethod
            def _aggregate(cls, attr, aggregate_fn=None, factor=2, **kwargs):
                made = attr.clone()
                made.target_attributions = made.target_attributions * factor
                return made

        made = self.forced[0].aggregate(["vnorm", Doubled, "slices"], factor=3, target_spans=(0, 2))[0]
        np.testing.assert_allclose(made.target_attributions[:2], 3 * self.forced[0].aggregate()[0].target_attributions[:2], rtol=1e-6)

    def test_weights_and_extremes(self):
        out = copy.deepcopy(self.forced[0])
        out.weight_attributions("entropy")
        plain = self.forced[0].aggregate()[0]
        np.testing.assert_allclose(out[0].target_attributions, plain.target_attributions * plain.step_scores["entropy"], rtol=1e-6)
        np.testing.assert_array_equal(out.aggregate()[0].target_attributions, out[0].target_attributions)
        self.assertEqual((plain.minimum, plain.maximum), (0.0, float(np.nanmax(plain.target_attributions))))
        with self.assertRaisesRegex(ValueError, "entropy"):
            copy.deepcopy(self.forced[0]).weight_attributions("entropi")

    def test_tokens_are_decoded(self):
        out = copy.deepcopy(self.out)
        self.assertIs(out.decode_tokens(self.both.tokenizer), out)
        self.assertEqual("".join(t.token for t in out[0].source[:-1]).replace(" ", ""), "我很开心。")
        self.assertFalse(any("▁" in t.token for t in out[0].target))

    def test_steps_are_inseqs(self):
        columns = [(s, i) for s in self.out for i in range(s.attr_pos_end - s.attr_pos_start)]
        self.assertEqual(len(self.out.step_attributions), len(columns))
        for step, (sequence, column) in zip(self.out.step_attributions, columns):
            self.assertIs(type(step), GranularFeatureAttributionStepOutput)
            target = sequence.attr_pos_start + column
            self.assertEqual((step.source, step.prefix, step.target), ([sequence.source], [sequence.target[:target]], [[sequence.target[target]]]))
            np.testing.assert_array_equal(step.source_attributions[0], sequence.source_attributions[:, column])
            np.testing.assert_array_equal(step.target_attributions[0], sequence.target_attributions[:target, column])
            self.assertEqual(step.step_scores["probability"].tolist(), [sequence.step_scores["probability"][column]])

    def test_saved_in_every_form(self):
        tolerance = {"float32": 0, "float16": 1e-3, "float8": 0.07}
        for precision, relative in tolerance.items():
            for compress in (False, True):
                path = self.folder / f"{precision}{compress}.json"
                self.out.save(path, compress=compress, scores_precision=precision, ndarray_compact=compress)
                loaded = FeatureAttributionOutput.load(path, decompress=compress)
                for ours, theirs in zip(self.out, loaded):
                    np.testing.assert_allclose(theirs.target_attributions, ours.target_attributions, rtol=relative, atol=relative / 40)
                self.assertEqual(loaded.step_attributions, self.out.step_attributions)
                self.assertEqual(loaded.info, json.loads(json.dumps(self.out.info)))
        with self.assertRaisesRegex(ValueError, "float8"):
            self.out.save(self.folder / "none.json", scores_precision="float4")
        self.assertFalse((self.folder / "none.json").exists())

    def test_saved_apart_and_without_classes(self):
        self.out.save(self.folder / "part.json", split_sequences=True, compress=True)
        for index in range(2):
            part = FeatureAttributionOutput.load(self.folder / f"part_{index}.json.gz")
            self.assertEqual(part[0], self.out[index])
            self.assertEqual(part.info["input_texts"], [self.out.info["input_texts"][index]])
        self.out.save(self.folder / "plain.json", use_primitives=True)
        plain = json.loads((self.folder / "plain.json").read_text())
        self.assertEqual(plain["sequence_attributions"][0]["source"][0], {"id": self.out[0].source[0].id, "token": self.out[0].source[0].token})
        self.assertEqual(np.shape(plain["step_attributions"][0]["source_attributions"]), self.out.step_attributions[0].source_attributions.shape)
        with self.assertRaises(OSError):
            FeatureAttributionOutput.load(self.folder / "plain.json")

    def test_files_of_older_inseqs(self):
        results = pathlib.Path(__file__).parents[2] / "tests" / "data" / "results"
        plain, lists = (FeatureAttributionOutput.load(results / name) for name in ("inseq_0.5.json", "inseq_0.6_lists.json.gz"))
        self.assertEqual(plain, lists)
        self.assertEqual([t.token for t in plain[0].source], ["▁x", "y", "</s>"])
        self.assertEqual(plain[0].step_scores["top_p_size"].tolist(), [3, 1, 2])
        np.testing.assert_array_equal(np.isnan(plain[0].target_attributions[..., 0]), np.tri(4, 3, -1, dtype=bool))

    def test_printed(self):
        said = str(self.out)
        self.assertEqual(said, repr(self.out))
        for line in ("FeatureAttributionOutput({", "    sequence_attributions: list with 2 elements of type GranularFeatureAttributionSequenceOutput: [",
                     '            source_attributions: float32 array of shape', '        attribution_method: "saliency",', "probability: float32 array of shape"):
            self.assertIn(line, said)
        self.assertIn("'</s>'\n            ],", said)
        self.assertTrue(str(self.out[0]).startswith("GranularFeatureAttributionSequenceOutput({"))

    def test_equality(self):
        other = copy.deepcopy(self.out)
        self.assertEqual(other, self.out)
        other[0].source_attributions = other[0].source_attributions + 1e-7
        self.assertEqual(other, self.out)
        other[0].source_attributions = other[0].source_attributions + 1
        self.assertNotEqual(other, self.out)


if __name__ == "__main__":
    unittest.main()
