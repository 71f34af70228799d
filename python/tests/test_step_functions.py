"""Step functions of one's own: copies of the library's give its numbers, slopes are automatic or given, what fails is said."""
import traceback
import unittest
import warnings

import numpy as np

import cinseq
from cinseq.attr import step_functions
from cinseq.attr.step_functions import contrast_prob_diff_fn, entropy_fn, logit_fn, probability_fn

TEXT, STORY = "我很开心。", "Once upon a time there was a cat"


def log_probability(args):
    logits = args.attribution_model.output2logits(args.forward_output)
    return logits.log_softmax(dim=-1).gather(-1, args.target_ids.reshape(1, 1)).squeeze(-1)


class StepFunctions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.both, cls.decoder = cinseq.load_model("zh-en-mini", "saliency"), cinseq.load_model("stories260K", "saliency")

    def register(self, fn, name, **kwargs):
        cinseq.register_step_function(fn, name, **kwargs)
        self.addCleanup(step_functions.STEP_SCORES_MAP.pop, name, None)
        self.addCleanup(step_functions._SPAN_FUNCTIONS.pop, name, None)

    def attribute(self, model=None, **kwargs):
        texts = {"input_texts": TEXT} if model in (None, self.both) else {"input_texts": "Once upon", "generated_texts": STORY}
        return (model or self.both).attribute(**(texts | {"show_progress": False} | kwargs))

    def assert_same(self, a, b):
        for name in ("source_attributions", "target_attributions"):
            ours, theirs = getattr(a[0], name), getattr(b[0], name)
            if theirs is not None:
                np.testing.assert_allclose(ours, theirs, atol=1e-5 * float(np.nanmax(np.abs(theirs))))

    def test_copies_give_the_librarys_numbers(self):
        self.register(log_probability, "mine")
        self.assertIn("mine", cinseq.list_step_functions())
        for model in (self.both, self.decoder):
            out = self.attribute(model, step_scores=["mine", "crossentropy"])
            np.testing.assert_allclose(out[0].step_scores["mine"], -out[0].step_scores["crossentropy"], atol=1e-5)
            for method in ("saliency", "integrated_gradients", "occlusion"):
                own = self.attribute(model, method=method, attributed_fn="mine")
                self.assert_same(own, self.attribute(model, method=method, attributed_fn="probability", logprob=True))
        self.assertEqual(own.info["attributed_fn"], "log_probability")

    def test_a_function_need_not_be_registered(self):
        self.assert_same(self.attribute(attributed_fn=log_probability), self.attribute(attributed_fn="probability", logprob=True))
        self.assert_same(self.attribute(attributed_fn=entropy_fn), self.attribute(attributed_fn="entropy"))

    def test_built_in_functions_inside(self):
        self.register(lambda args, weight=1.0: weight * logit_fn(args) - 2 * entropy_fn(args), "mixed")
        out = self.attribute(step_scores=["mixed", "logit", "entropy"], step_scores_args={"weight": 3.0})
        scores = out[0].step_scores
        np.testing.assert_allclose(scores["mixed"], 3 * scores["logit"] - 2 * scores["entropy"], rtol=1e-5)
        self.assertEqual(out.info["step_scores_args"]["weight"], 3.0)
        whole = self.attribute(method="input_x_gradient", attributed_fn="mixed", weight=3.0)[0].source_attributions
        parts = [self.attribute(method="input_x_gradient", attributed_fn=name)[0].source_attributions for name in ("logit", "entropy")]
        np.testing.assert_allclose(whole, 3 * parts[0] - 2 * parts[1], atol=1e-4 * float(np.abs(whole).max()))

    def test_what_it_is_told(self):
        seen = []

        def look(args, label="", **others):
            seen.append((args.sequence_index, args.decoder_input_ids.tolist(), int(args.target_ids[0]), label, args.is_attributed_fn))
            self.assertEqual(args.decoder_attention_mask.shape, args.decoder_input_ids.shape)
            self.assertEqual(args.encoder_input_ids.tolist(), self.both.encode(texts[args.sequence_index]).input_ids.tolist())
            width = args.encoder_input_embeds.shape[-1]
            self.assertEqual(args.decoder_input_embeds.shape, (*args.decoder_input_ids.shape, width))
            return float(args.decoder_input_ids.shape[1])

        texts = ["我", TEXT]
        self.register(look, "look")
        out = self.both.attribute(texts, step_scores=["look"], label="here", show_progress=False)
        for number, sequence in enumerate(out):
            rows = [row for row in seen if row[0] == number]
            self.assertEqual(sequence.step_scores["look"].tolist(), list(range(1, len(sequence.target))))
            self.assertEqual([row[1][0] + [row[2]] for row in rows], [[t.id for t in sequence.target[:i + 1]] for i in range(1, len(sequence.target))])
            self.assertTrue(all(row[3:] == ("here", False) for row in rows))

    def test_the_tutorials_contrast_by_a_forward_of_its_own(self):
        def prob_diff(args, contrast_ids, contrast_attention_mask, **kwargs):
            length = args.decoder_input_ids.shape[1]
            model_probs = probability_fn(args)
            args.forward_output = args.attribution_model.model(
                inputs_embeds=args.encoder_input_embeds, attention_mask=args.encoder_attention_mask,
                decoder_input_ids=contrast_ids[:, :length].to(args.attribution_model.device),
                decoder_attention_mask=contrast_attention_mask[:, :length])
            args.target_ids = contrast_ids[:, length]
            return model_probs - probability_fn(args)

        self.register(prob_diff, "prob_diff")
        forced, contrast = "I'm very happy.", "I'm very sadly"
        encoded = self.both.encode(contrast, as_targets=True)
        ids = encoded.input_ids[:, :-1]
        steps = min(ids.shape[1], self.both.encode(forced, as_targets=True).input_ids.shape[1])
        out = self.attribute(generated_texts=forced, attr_pos_end=steps, step_scores=["prob_diff", "contrast_prob_diff"], contrast_ids=ids,
                             contrast_attention_mask=encoded.attention_mask[:, :-1], contrast_targets=contrast,
                             contrast_targets_alignments=[[(i, i) for i in range(1, steps)]])
        np.testing.assert_allclose(out[0].step_scores["prob_diff"], out[0].step_scores["contrast_prob_diff"], atol=1e-5)

    def test_contrastive_functions_inside(self):
        def twice(args, contrast_targets, contrast_targets_alignments=None):
            return 2 * contrast_prob_diff_fn(args, contrast_targets=contrast_targets, contrast_targets_alignments=contrast_targets_alignments)

        self.register(twice, "twice")
        contrast = {"generated_texts": "I'm very happy.", "contrast_targets": "You are not sad."}
        out = self.attribute(step_scores=["twice", "contrast_prob_diff"], **contrast)
        np.testing.assert_allclose(out[0].step_scores["twice"], 2 * out[0].step_scores["contrast_prob_diff"], atol=1e-6)
        own = self.attribute(method="input_x_gradient", attributed_fn="twice", **contrast)
        row = self.attribute(method="input_x_gradient", attributed_fn="contrast_prob_diff", **contrast)
        np.testing.assert_allclose(own[0].source_attributions, 2 * row[0].source_attributions, atol=1e-6)
        self.assertEqual([str(t) for t in own[0].target], [str(t) for t in row[0].target])

        self.register(lambda args: contrast_prob_diff_fn(args, contrast_targets="You"), "unsaid")
        with self.assertRaisesRegex(TypeError, "contrast_targets"):
            self.attribute(step_scores=["unsaid"])

    def test_a_second_forward_with_the_same_inputs(self):
        def again(args):
            batch = args.attribution_model.formatter.convert_args_to_batch(args)
            args.forward_output = args.attribution_model.get_forward_output(batch, use_embeddings=args.attribution_model.is_encoder_decoder)
            return probability_fn(args)

        self.register(again, "again")
        for model in (self.both, self.decoder):
            out = self.attribute(model, step_scores=["again", "probability"])
            np.testing.assert_allclose(out[0].step_scores["again"], out[0].step_scores["probability"], atol=1e-5)

    def test_logits_without_unlikely_tokens(self):
        from cinseq.utils import filter_logits, top_p_logits_mask

        logits = np.log(cinseq.arrays.Array([[0.5, 0.1, 0.3, 0.1 - 1e-6]]))
        kept = lambda made: np.isfinite(np.asarray(made)).tolist()[0]
        self.assertEqual(kept(filter_logits(logits, top_p=0.7)), [True, False, True, False])
        self.assertEqual(kept(filter_logits(logits, top_p=0.4)), [True, False, False, False])
        self.assertEqual(kept(filter_logits(logits, top_p=0.4, min_tokens_to_keep=2)), [True, False, True, False])
        self.assertEqual(kept(filter_logits(logits, top_k=3)), [True, True, True, False])
        self.assertEqual(top_p_logits_mask(logits, 0.7, 1).tolist(), [[False, True, False, True]])
        both = filter_logits(logits, logits[:, ::-1] * 3, top_k=1)
        self.assertEqual([kept(each) for each in both], [[False, False, False, True]] * 2)
        self.assertEqual(kept(filter_logits(logits, logits[:, ::-1], top_k=1, filter_strategy="contrast")[0]), [False, False, False, True])
        for wrong in ({"top_k": 5}, {"top_p": 1.5, "top_k": -1}, {"filter_strategy": "merged"}, {"filter_strategy": "other"}):
            self.assertRaises(ValueError, filter_logits, logits, **wrong)

        def nucleus_probability(args):
            logits = filter_logits(args.attribution_model.output2logits(args.forward_output), top_k=2)
            return logits.log_softmax(dim=-1).gather(-1, args.target_ids.reshape(1, 1)).squeeze(-1)

        out = self.attribute(attributed_fn=nucleus_probability, step_scores=["probability"])
        self.assertTrue(np.isfinite(out[0].source_attributions).all())

    def test_slopes_that_are_given(self):
        def own(args):
            return float(np.sin(args.forward_output.logits[0, 0, int(args.target_ids[0])]))

        def backward(args):
            slope = np.zeros(args.forward_output.logits.shape[-1])
            slope[int(args.target_ids[0])] = np.cos(args.forward_output.logits[0, 0, int(args.target_ids[0])])
            return slope

        self.register(own, "sine")
        with self.assertRaisesRegex(TypeError, "backward"):
            self.attribute(attributed_fn="sine")
        own.backward = backward
        logits = self.attribute(step_scores=["logit"])[0].step_scores["logit"]
        plain, sine = (self.attribute(method="input_x_gradient", attributed_fn=name)[0].source_attributions for name in ("logit", "sine"))
        np.testing.assert_allclose(sine, plain * np.cos(logits)[:, None], atol=1e-5 * float(np.abs(plain).max()))

    def test_spans_have_the_function_that_was_registered(self):
        self.register(log_probability, "summed", aggregate_map={"spans": "sum"})
        self.register(log_probability, "plain")
        out = self.attribute(step_scores=["summed", "plain"])
        joined = out.aggregate("spans", target_spans=(1, 4))[0].step_scores
        self.assertAlmostEqual(float(joined["summed"][0]), float(out[0].step_scores["summed"][:3].sum()), 5)
        self.assertAlmostEqual(abs(float(joined["plain"][0])), float(np.abs(out[0].step_scores["plain"][:3]).max()), 5)

    def test_what_fails_has_its_own_traceback_and_the_model_stays(self):
        def fails_at_last(args):
            if args.decoder_input_ids.shape[1] == 3:
                raise LookupError("at the third")
            return 0.0

        self.register(fails_at_last, "fails")
        for kwargs in ({"step_scores": ["fails"]}, {"method": "occlusion", "attributed_fn": "fails"}):
            with self.subTest(kwargs), self.assertRaisesRegex(LookupError, "at the third"):
                self.attribute(**kwargs)
        try:
            self.attribute(step_scores=["fails"])
        except LookupError as problem:
            self.assertIn("fails_at_last", "".join(traceback.format_tb(problem.__traceback__)))
        self.register(lambda args: np.zeros(2), "two")
        with self.assertRaisesRegex(TypeError, "one number"):
            self.attribute(step_scores=["two"])
        self.assertEqual(len(self.attribute()), 1)

    def test_names(self):
        self.register(log_probability, "mine")
        with self.assertRaisesRegex(ValueError, "overwrite"):
            cinseq.register_step_function(entropy_fn, "mine")
        kept = step_functions.STEP_SCORES_MAP["probability"]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cinseq.register_step_function(log_probability, "probability", overwrite=True)
        try:
            out = self.attribute(step_scores=["probability"])
            self.assertLess(float(out[0].step_scores["probability"].max()), 0)
            self.assertEqual(out.info["attributed_fn"], "log_probability")
        finally:
            step_functions.STEP_SCORES_MAP["probability"] = kept
        with self.assertRaisesRegex(ValueError, "nowhere"):
            self.attribute(step_scores=["mine"], nowhere=1)


if __name__ == "__main__":
    unittest.main()
