"""Models of transformers in memory, where torch and transformers are installed: their config and state dict are what counts."""
import copy
import gc
import importlib.util
import os
import pathlib
import sys
import tempfile
import unittest
import warnings

import numpy as np

import cinseq

ROOT = pathlib.Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "data" / "golden" / "models"
UNPACKED = pathlib.Path(os.environ["CINSEQ_LIBRARY"]).parent / "golden" if "CINSEQ_LIBRARY" in os.environ else None
MISSING = [name for name in ("torch", "transformers") if importlib.util.find_spec(name) is None]
if MISSING:
    print(f"SKIPPED: models in memory, since {' and '.join(MISSING)} cannot be imported", file=sys.stderr)


def _attributed(model, text="He is going"):
    out = model.attribute(text, method="saliency", attribute_target=model.is_encoder_decoder, show_progress=False,
                          generation_args={"max_new_tokens": 4})
    return out, out[0].target_attributions


@unittest.skipIf(MISSING, "no torch")
class Torch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        import torch
        import transformers

        torch.set_num_threads(1)
        transformers.logging.set_verbosity_error()
        cls.torch, cls.transformers = torch, transformers

    def load(self, folder, **kwargs):
        config = self.transformers.AutoConfig.from_pretrained(folder)
        both = config.is_encoder_decoder
        kind = self.transformers.AutoModelForSeq2SeqLM if both else self.transformers.AutoModelForCausalLM
        return kind.from_pretrained(folder, **kwargs)

    def same(self, folder):
        hf = self.load(folder)  # where PyTorch may warn of itself
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = cinseq.load_model(hf, tokenizer=str(folder))
        self.assertEqual(model.info["checkpoint"]["format"], "memory")
        out, scores = _attributed(model)
        expected, numbers = _attributed(cinseq.load_model(str(folder)))
        self.assertEqual(out.info["generated_texts"], expected.info["generated_texts"])
        np.testing.assert_array_equal(scores, numbers)

    def test_numbers_of_the_folder(self):
        for name in ("gpt2", "llama", "llama_tied", "marian"):
            with self.subTest(name):
                self.same(GOLDEN / name)

    @unittest.skipUnless(UNPACKED and UNPACKED.is_dir(), "no build folder")
    def test_architectures(self):
        for name in os.environ.get("CINSEQ_TORCH_MODELS", "t5 mt5_tied mbart gemma2 qwen2_moe opt bloom falcon gpt_bigcode").split():
            with self.subTest(name):
                self.same(UNPACKED / name / "model")

    def test_a_changed_weight_changes_the_scores(self):
        hf = self.load(GOLDEN / "gpt2")
        model = cinseq.load_model(hf, tokenizer=str(GOLDEN / "gpt2"))
        _, before = _attributed(model)
        with self.torch.no_grad():
            hf.transformer.h[1].mlp.c_fc.weight[0, 3] += 1
        _, after = _attributed(model)
        self.assertFalse(np.array_equal(before, after))
        _, again = _attributed(cinseq.load_model(hf, tokenizer=str(GOLDEN / "gpt2")))
        np.testing.assert_array_equal(after, again)

    def test_tied_weights_and_a_head_of_its_own(self):
        hf = self.load(GOLDEN / "gpt2")
        tied = cinseq.load_model(hf, tokenizer=str(GOLDEN / "gpt2"))
        self.assertEqual(tied.info["parameters"], hf.num_parameters())
        hf.lm_head.weight = self.torch.nn.Parameter(hf.lm_head.weight.detach() * 2)
        untied = cinseq.load_model(hf, tokenizer=str(GOLDEN / "gpt2"))
        ids = tied.encode("He is going").input_ids
        np.testing.assert_allclose(untied.model(ids).logits, 2 * np.asarray(tied.model(ids).logits), rtol=1e-5)

    def test_sixteen_bits_stay(self):
        model = cinseq.load_model(self.load(GOLDEN / "llama", torch_dtype=self.torch.bfloat16), tokenizer=str(GOLDEN / "llama"))
        self.assertEqual(list(model.info["checkpoint"]["types"]), ["BF16"])
        logits = model.model(model.encode("He is").input_ids).logits
        self.assertTrue(np.isfinite(logits).all())

    def test_codes_of_bitsandbytes(self):
        """Linear8bitLt's state: int8 weights, SCB and weight_format in the state dict."""
        from safetensors.torch import load_file

        hf = self.load(GOLDEN / "gpt2")
        state = load_file(ROOT / "tests" / "data" / "int8" / "gpt2.safetensors")
        own = hf.state_dict
        hf.state_dict = lambda: dict(own()) | state
        model = cinseq.load_model(hf, tokenizer=str(GOLDEN / "gpt2"))
        self.assertEqual(model.info["quantization"]["modules"], 8)
        expected = cinseq.load_model(str(GOLDEN / "gpt2"), load_in_8bit=True)
        ids = model.encode("He is going").input_ids
        np.testing.assert_allclose(model.model(ids).logits, expected.model(ids).logits, atol=2e-2)

    def test_tokenizers(self):
        folder = str(GOLDEN / "gpt2")
        fast = self.transformers.AutoTokenizer.from_pretrained(folder)
        before = set(os.listdir(tempfile.gettempdir()))
        model = cinseq.load_model(self.load(folder), tokenizer=fast)
        self.assertEqual({n for n in set(os.listdir(tempfile.gettempdir())) - before if n.startswith("cinseq-tokenizer")}, set())
        self.assertIsNone(model.info["tokenizer_name"])
        self.assertEqual(model.tokenizer("He is going").input_ids, fast("He is going").input_ids)
        self.assertIsNone(_attributed(model)[0].info["tokenizer_name"])
        self.assertEqual(cinseq.load_model(folder, tokenizer=fast).tokenizer("He is").input_ids, fast("He is").input_ids)
        by_name = cinseq.load_model(self.load(folder))
        self.assertEqual(by_name.tokenizer("He is going").input_ids, fast("He is going").input_ids)
        self.assertEqual(by_name.info["model_name"], folder)

    def test_a_module_is_a_layer(self):
        hf = self.load(GOLDEN / "gpt2")
        model = cinseq.load_model(hf, "layer_gradient_x_activation", tokenizer=str(GOLDEN / "gpt2"))
        arguments = {"generated_texts": "He is going there", "show_progress": False}
        by_module = model.attribute("He is", target_layer=hf.transformer.h[1].mlp, **arguments)
        by_name = model.attribute("He is", target_layer="transformer.h[1].mlp", **arguments)
        np.testing.assert_array_equal(by_module[0].target_attributions, by_name[0].target_attributions)
        with self.assertRaisesRegex(TypeError, "target_layer"):
            model.attribute("He is", target_layer=self.torch.nn.Linear(2, 2), **arguments)

    def test_what_is_refused(self):
        config = self.transformers.AutoConfig.from_pretrained(GOLDEN / "gpt2")
        with self.assertRaisesRegex(ValueError, "tokenizer"):
            cinseq.load_model(self.transformers.GPT2LMHeadModel(copy.deepcopy(config).__class__(n_embd=8, n_head=2, n_layer=1)))
        with warnings.catch_warnings(), self.assertRaisesRegex(TypeError, "GPT2ForTokenClassification generates no text.*GPT2LMHeadModel"):
            warnings.simplefilter("ignore")
            cinseq.load_model(self.transformers.GPT2ForTokenClassification(config), tokenizer=str(GOLDEN / "gpt2"))
        with self.torch.device("meta"), self.assertRaisesRegex(ValueError, "meta"):
            cinseq.load_model(self.transformers.GPT2LMHeadModel(config), tokenizer=str(GOLDEN / "gpt2"))

    def test_the_weights_live_as_long_as_the_model(self):
        model = cinseq.load_model(self.load(GOLDEN / "gpt2"), tokenizer=str(GOLDEN / "gpt2"))
        gc.collect()
        np.testing.assert_array_equal(_attributed(model)[1], _attributed(cinseq.load_model(str(GOLDEN / "gpt2")))[1])


if __name__ == "__main__":
    unittest.main()
