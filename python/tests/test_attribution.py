"""From load_model to numbers, on the embedded models."""
import os
import pathlib
import tempfile
import threading
import unittest
import warnings

import numpy as np

import cinseq
from cinseq.data.attribution import GranularFeatureAttributionSequenceOutput
from cinseq.errors import (
    CinseqError,
    LengthMismatchError,
    MissingAttributionMethodError,
    ModelFileError,
    UnknownAttributionMethodError,
)

TEXT = "今天学到了很多，我很开心。"


class Attribution(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = cinseq.load_model("zh-en-mini", "saliency")
        cls.out = cls.model.attribute(TEXT, step_scores=["probability"], show_progress=False)

    def test_fields_are_those_of_inseq(self):
        sequence = self.out[0]
        self.assertIsInstance(sequence, GranularFeatureAttributionSequenceOutput)
        columns = sequence.attr_pos_end - sequence.attr_pos_start
        self.assertEqual(sequence.source_attributions.shape[:2], (len(sequence.source), columns))
        self.assertIsNone(sequence.target_attributions)
        self.assertEqual(sequence.step_scores["probability"].shape, (columns,))
        self.assertEqual(sequence.source[-1], "</s>")
        self.assertEqual(sequence.source[-1], self.model.tokenizer.eos_token_id)
        self.assertEqual(self.out.info["attribution_method"], "saliency")
        self.assertEqual(self.out.info["generated_texts"], ["I learned a lot today. I'm very happy."])

    def test_aggregated_columns_sum_to_one(self):
        scores = self.out.aggregate()[0].source_attributions
        np.testing.assert_allclose(scores.sum(dim=0), 1, atol=1e-5)
        by_hand = np.linalg.norm(self.out[0].source_attributions, axis=-1)
        np.testing.assert_allclose(scores, by_hand / by_hand.sum(0), atol=1e-6)

    def test_what_is_assigned_is_shown(self):
        out = self.model.attribute(TEXT, show_progress=False)
        out[0].source[0].token = "<today>"
        self.assertIn("&lt;today&gt;", out.show(display=False, return_html=True))
        out[0].source_attributions = out[0].source_attributions * 0
        self.assertEqual(float(np.nansum(out.aggregate()[0].source_attributions)), 0)

    def test_saved_and_loaded(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "out.json")
            self.out.save(path)
            with self.assertRaises(ValueError):
                self.out.save(path)
            self.out.save(path, overwrite=True)
            loaded = cinseq.FeatureAttributionOutput.load(path)
        self.assertEqual(loaded[0], self.out[0])
        self.assertEqual(loaded.info["generated_texts"], self.out.info["generated_texts"])

    def test_attention_has_layers_and_heads(self):
        out = self.model.attribute("我很开心。", method="attention", attribute_target=True, show_progress=False)
        self.assertEqual(out[0].source_attributions.shape[2:], (3, 4))
        self.assertEqual(out[0].sequence_scores["encoder_self_attentions"].ndim, 4)
        self.assertEqual(out.aggregate()[0].target_attributions.ndim, 2)

    def test_numbers_outlive_model_and_result(self):
        scores = cinseq.load_model("zh-en-mini", "saliency").attribute(TEXT, show_progress=False)[0].source_attributions
        np.testing.assert_array_equal(scores, self.out[0].source_attributions)

    def test_scores_dicts_and_weights(self):
        out = self.model.attribute(TEXT, step_scores="probability", show_progress=False)
        scores = out.get_scores_dicts()[0]
        (index, token), rows = next(iter(scores["source_attributions"].items()))
        self.assertEqual((index, token), (1, "▁I"))
        self.assertAlmostEqual(sum(rows.values()), 1, 5)
        probability = scores["step_scores"][index, token]["probability"]
        out.weight_attributions("probability")
        self.assertAlmostEqual(float(out[0].source_attributions[:, 0].sum()), probability, 5)

    def test_steps_and_merging(self):
        out = self.model.attribute(["我", "你好。"], output_step_attributions=True, show_progress=False)
        columns = sum(s.attr_pos_end - s.attr_pos_start for s in out)
        self.assertEqual(len(out.step_attributions), columns)
        merged = out + self.model.attribute("是", show_progress=False)
        self.assertEqual((len(merged), len(merged.info["input_texts"])), (3, 3))
        with self.assertRaisesRegex(ValueError, "attribution_method"):
            out + self.model.attribute("是", method="attention", show_progress=False)

    def test_arguments_of_methods(self):
        few = self.model.attribute("我很开心。", method="integrated_gradients", n_steps=3, show_progress=False)
        nested = self.model.attribute("我很开心。", method="integrated_gradients", attribution_args={"n_steps": 3}, show_progress=False)
        self.assertEqual(few[0], nested[0])
        signed = cinseq.load_model("zh-en-mini", "saliency", abs=False).attribute(TEXT, show_progress=False)
        self.assertLess(float(signed[0].source_attributions.min()), 0)

    def test_what_is_wrong_is_said(self):
        refused = [
            (UnknownAttributionMethodError, '"saliency"', lambda: self.model.attribute(TEXT, method="salency")),
            (ValueError, '"probability"', lambda: self.model.attribute(TEXT, step_scores=["probabilty"])),
            (CinseqError, "n_step", lambda: self.model.attribute(TEXT, method="integrated_gradients", n_step=3)),
            (TypeError, "input_texts: expected text, not int", lambda: self.model.attribute(3)),
            (LengthMismatchError, "generated_texts", lambda: self.model.attribute(TEXT, ["a", "b"])),
            (ModelFileError, "nowhere.json", lambda: cinseq.FeatureAttributionOutput.load("nowhere.json")),
            (OSError, "nowhere.json", lambda: cinseq.FeatureAttributionOutput.load("nowhere.json")),
            (MissingAttributionMethodError, "method", lambda: cinseq.load_model("zh-en-mini").attribute(TEXT)),
            (ValueError, "zh-en-mini", lambda: cinseq.load_model("zh-en-min")),
            (TypeError, "model", lambda: cinseq.load_model(7)),
            (UnknownAttributionMethodError, '"attention"', lambda: cinseq.load_model("zh-en-mini", "atention")),
        ]
        for kind, words, call in refused:
            with self.subTest(words), self.assertRaisesRegex(kind, words):
                call()

    def test_threads_share_a_model(self):
        made = []
        threads = [threading.Thread(target=lambda: made.append(self.model.attribute(TEXT, threads=1, show_progress=False))) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for out in made:
            np.testing.assert_array_equal(out[0].source_attributions, self.out[0].source_attributions)

    def test_threads_have_models_of_their_own(self):
        made = {}

        def work(name, text):
            made[name] = cinseq.load_model(name, "saliency").attribute(text, threads=1, show_progress=False)

        texts = {"zh-en-mini": TEXT, "stories260K": "Once upon"}
        threads = [threading.Thread(target=work, args=item) for item in texts.items()]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for name, text in texts.items():
            alone = cinseq.load_model(name, "saliency").attribute(text, threads=1, show_progress=False)
            self.assertEqual(made[name][0], alone[0])

    def test_step_functions_of_two_threads(self):
        """Callbacks of both come from the library's threads at the same time."""
        made = []

        def work(factor):
            made.append((factor, self.model.attribute(TEXT, attributed_fn=lambda args: factor * args.forward_output.logits[0, 0, int(args.target_ids[0])],
                                                      show_progress=False)))

        threads = [threading.Thread(target=work, args=(factor,)) for factor in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        plain = self.model.attribute(TEXT, attributed_fn="logit", show_progress=False)[0].source_attributions
        for factor, out in made:
            np.testing.assert_allclose(out[0].source_attributions, factor * np.asarray(plain), atol=1e-5 * float(plain.max()))

    @unittest.skipUnless(hasattr(os, "fork"), "no fork here")
    def test_a_fork_computes_too(self):
        child = os.fork()
        if child == 0:
            out = self.model.attribute(TEXT, show_progress=False)
            os._exit(not np.array_equal(out[0].source_attributions, self.out[0].source_attributions))
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)


class Generation(unittest.TestCase):
    def test_texts_ids_and_back(self):
        model = cinseq.load_model("zh-en-mini")
        texts, ids = model.generate(["我很开心。", "你好。"], return_generation_output=True, num_beams=1)
        self.assertEqual(texts[0], "I'm very happy.")
        self.assertEqual(model.decode(ids), texts)
        self.assertEqual(model.encode("我很开心。").input_ids[0].tolist(), model.tokenizer("我很开心。")["input_ids"])
        self.assertEqual(model.encode("我").input_tokens[0][-1], "</s>")
        self.assertTrue(model.is_encoder_decoder)

    def test_without_the_prompt(self):
        model = cinseq.load_model("stories260K")
        whole, = model.generate("Once upon", max_new_tokens=4)
        only, = model.generate("Once upon", max_new_tokens=4, output_generated_only=True)
        self.assertTrue(whole.startswith("Once upon") and whole.endswith(only) and len(only) < len(whole), (whole, only))


class Transformers(unittest.TestCase):
    def test_names_of_notebooks(self):
        from cinseq.transformers import AutoModelForSeq2SeqLM, AutoTokenizer, BitsAndBytesConfig

        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            handle = AutoModelForSeq2SeqLM.from_pretrained("zh-en-mini", device_map="cuda", low_cpu_mem_usage=True)
        self.assertIn("CPU", str(heard[0].message))
        tokenizer = AutoTokenizer.from_pretrained("zh-en-mini")
        out = cinseq.load_model(handle, "attention", tokenizer=tokenizer).attribute(TEXT, show_progress=False)
        self.assertEqual(out.info["model_name"], "zh-en-mini")  # as it was asked for
        with self.assertRaisesRegex(TypeError, "max_memory"):
            AutoModelForSeq2SeqLM.from_pretrained("zh-en-mini", max_memory={})
        with self.assertRaisesRegex(ValueError, "load_in_4bit"):
            BitsAndBytesConfig(load_in_4bit=True)

    def test_modules_of_a_handle(self):
        """As Inseq's tutorial names layers: target_layer=model.transformer.h[layer].mlp."""
        from cinseq.transformers import AutoModelForCausalLM

        handle = AutoModelForCausalLM.from_pretrained("stories260K", load_in_8bit=True)
        scores = [cinseq.load_model(handle, "layer_gradient_x_activation", target_layer=layer).attribute(
            "Once upon a time", "Once upon a time there", show_progress=False) for layer in (handle.model.layers[1].mlp, "model.layers.1.mlp")]
        self.assertEqual(scores[0][0], scores[1][0])
        with self.assertRaisesRegex(AttributeError, "transformer"):
            _ = handle.transformer


if __name__ == "__main__":
    unittest.main()
