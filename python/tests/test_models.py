"""What load_model opens and refuses, the cache of what is open, modules, and what an open model answers."""
import os
import pathlib
import shutil
import tempfile
import threading
import unittest
import warnings
import weakref
from unittest import mock

import numpy as np

import cinseq
from cinseq import _library
from cinseq.models import _open

STORY = {"generated_texts": "Once upon a time there was", "show_progress": False}
MODELS = pathlib.Path(__file__).parents[2] / "models"


class Counted:
    """Opens of models while `with` lasts."""

    def __enter__(self):
        self.count, real = 0, _library.library.model_open

        def counting(*arguments):
            self.count += 1
            return real(*arguments)

        self.patch = mock.patch.object(_library.library, "model_open", counting)
        self.patch.start()
        return self

    def __exit__(self, *_):
        self.patch.stop()


class Cache(unittest.TestCase):
    def test_a_model_is_opened_once(self):
        with tempfile.TemporaryDirectory() as folder, Counted() as opened:
            path = shutil.copytree(MODELS / "stories260K", os.path.join(folder, "mine"))
            first = cinseq.load_model(path, "saliency")
            second = cinseq.load_model(path)
            other = cinseq.load_model(path, model_kwargs={"load_in_8bit": True})
        self.assertEqual(opened.count, 2)
        self.assertIs(first._handle, second._handle)
        self.assertIsNot(first._handle, other._handle)

    def test_threads_open_it_once(self):
        made = []
        with tempfile.TemporaryDirectory() as folder, Counted() as opened:
            path = shutil.copytree(MODELS / "stories260K", os.path.join(folder, "mine"))
            threads = [threading.Thread(target=lambda: made.append(cinseq.load_model(path))) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual((len(made), opened.count), (4, 1))

    def test_a_changed_file_is_another_model(self):
        with tempfile.TemporaryDirectory() as folder, Counted() as opened:
            path = shutil.copytree(MODELS / "stories260K", os.path.join(folder, "mine"))
            first = cinseq.load_model(path)
            os.utime(os.path.join(path, "config.json"), (1, 1))
            second = cinseq.load_model(path)
            self.assertIsNot(first._handle, second._handle)
        self.assertEqual(opened.count, 2)

    def test_nobody_keeps_it_open(self):
        with tempfile.TemporaryDirectory() as folder:
            path = shutil.copytree(MODELS / "stories260K", os.path.join(folder, "mine"))
            model = cinseq.load_model(path)
            handle = weakref.ref(model._handle)
            model.attribute("Once", method="saliency", **STORY)
            del model
            self.assertIsNone(handle())
        self.assertEqual(_open._OPENING, {})


class Modules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = cinseq.load_model("stories260K", "layer_gradient_x_activation")

    def test_paths(self):
        layers = self.model.model.model.layers
        self.assertEqual(str(layers[-1].mlp), f"model.layers.{len(layers) - 1}.mlp")
        self.assertEqual([str(m) for m in layers][:2], ["model.layers.0", "model.layers.1"])
        self.assertEqual(str(self.model.get_decoder()), "model")
        self.assertEqual(str(self.model.get_embedding_layer()), "model.embed_tokens")
        self.assertIn("mlp", dir(layers[0]))
        self.assertEqual(dict(self.model.model.named_modules())["model.layers.0.mlp"], layers[0].mlp)
        with self.assertRaisesRegex(AttributeError, "self_attn"):
            layers[0].self_atn  # noqa: B018
        with self.assertRaisesRegex(IndexError, "there are"):
            layers[99]
        with self.assertRaises(AttributeError):
            self.model.get_encoder()

    def test_target_layer_takes_them(self):
        module = self.model.model.model.layers[1].mlp
        scores = [self.model.attribute("Once upon", target_layer=layer, **STORY)[0].target_attributions
                  for layer in (module, "model.layers[1].mlp", "decoder.1.mlp.down")]
        np.testing.assert_array_equal(scores[0], scores[1])
        np.testing.assert_array_equal(scores[0], scores[2])
        loaded = cinseq.load_model("stories260K", "layer_gradient_x_activation", target_layer="model.layers.1.mlp")
        np.testing.assert_array_equal(loaded.attribute("Once upon", **STORY)[0].target_attributions, scores[0])

    def test_both_sides(self):
        model = cinseq.load_model("zh-en-mini")
        self.assertEqual(str(model.get_encoder().layers[0].fc1), "model.encoder.layers.0.fc1")
        self.assertEqual(str(model.get_decoder()), "model.decoder")
        self.assertEqual(model.model.config.model_type, "marian")
        self.assertGreater(len(model.model.get_decoder().layers), 1)


class Loading(unittest.TestCase):
    def test_arguments(self):
        class Half:  # torch.float16 is written so
            def __str__(self):
                return "torch.float16"

        class Quantization:
            def to_dict(self):
                return {"load_in_8bit": True, "_load_in_8bit": True, "quant_method": "bitsandbytes"}

        for kwargs, facts in (({"torch_dtype": Half()}, {"dtype": "F16"}), ({"dtype": "bfloat16"}, {"dtype": "BF16"}),
                              ({"torch_dtype": np.float16}, {"dtype": "F16"}), ({"load_in_8bit": True}, {"dtype": "F16"}),
                              ({"quantization_config": Quantization()}, {"dtype": "F16"}),
                              ({"attn_implementation": "eager", "device_map": "auto", "low_cpu_mem_usage": True}, {})):
            for given in ({"model_kwargs": kwargs}, kwargs):
                with self.subTest(kwargs):
                    info = cinseq.load_model("stories260K", **given).info
                    self.assertEqual({name: info[name] for name in facts}, facts)
                    self.assertEqual("quantization" in info, bool({"load_in_8bit", "quantization_config"} & kwargs.keys()))

    def test_what_is_refused_before_any_work(self):
        refused = [
            (TypeError, "max_memory", {"model_kwargs": {"max_memory": {}}}), (TypeError, "variant", {"variant": "fp16"}),
            (TypeError, "load_in_8bits.*did you mean load_in_8bit", {"model_kwargs": {"load_in_8bits": True}}),
            (ValueError, "load_in_4bit", {"model_kwargs": {"load_in_4bit": True}}),
            (ValueError, "load_in_4bit", {"model_kwargs": {"quantization_config": {"load_in_4bit": True}}}),
            (TypeError, "quantization_config", {"model_kwargs": {"quantization_config": 8}}),
            (TypeError, "model_kwargs: expected a dict", {"model_kwargs": [1]}), (TypeError, "tokenizer_kwargs", {"tokenizer_kwargs": "a"}),
            (TypeError, "tokenizer: expected", {"tokenizer": 3}), (ValueError, "device", {"device": "toaster"}),
            (TypeError, "attribution_method: expected text", {"attribution_method": 3}),
            (ValueError, "n_step.*did you mean", {"attribution_method": "integrated_gradients", "n_step": 3}),
            (ValueError, "framework", {"framework": "jax"}),
        ]
        with Counted() as opened:
            for kind, words, kwargs in refused:
                with self.subTest(kwargs), self.assertRaisesRegex(kind, words):
                    cinseq.load_model("stories260K", **kwargs)
        self.assertEqual(opened.count, 0)

    def test_devices_warn_once(self):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            for _ in range(2):
                cinseq.load_model("stories260K", "saliency", device="cuda:1").attribute("Once", device="cuda:1", **STORY)
        self.assertEqual([str(one.message) for one in heard], ["device 'cuda:1': cinseq computes on the CPU"])

    def test_another_tokenizer(self):
        model = cinseq.load_model("stories260K", tokenizer=str(MODELS / "stories260K"))
        self.assertEqual(model.info["tokenizer_name"], str(MODELS / "stories260K"))
        self.assertEqual(model.attribute("Once", "Once upon", method="saliency", show_progress=False).info["tokenizer_name"],
                         str(MODELS / "stories260K"))
        with self.assertRaisesRegex(ValueError, "no-such-tokenizer"):
            cinseq.load_model("stories260K", tokenizer="./no-such-tokenizer")

    def test_types_of_attribute(self):
        model = cinseq.load_model("stories260K", "saliency")
        for name, value in (("attr_pos_start", "1"), ("batch_size", 1.5), ("attribute_target", "yes"), ("generation_args", [1]),
                            ("method", 3), ("step_scores", [3]), ("generated_texts", [3]), ("attribution_args", 3)):
            with self.subTest(name), self.assertRaisesRegex(TypeError, name):
                model.attribute("Once", **{name: value})

    def test_generation(self):
        class Settings:
            def to_diff_dict(self):
                return {"max_new_tokens": 3, "transformers_version": "4"}

        model = cinseq.load_model("stories260K")
        text, made = model.generate("Once upon", return_generation_output=True, max_new_tokens=3)
        self.assertEqual(model.generate("Once upon", generation_config=Settings()), text)
        self.assertEqual(model.generate(model.encode("Once upon"), max_new_tokens=3), text)
        both, padded = model.generate(["Once upon", "A"], return_generation_output=True, max_new_tokens=3)
        self.assertEqual(both[0], text[0])
        self.assertEqual(padded.sequences.shape[0], 2)
        self.assertEqual(model.decode(made), text)
        self.assertEqual(model.generate("Once upon", skip_special_tokens=False, max_new_tokens=3), ["<s> " + text[0]])
        np.testing.assert_array_equal(model.model.generate(model.encode("Once upon"), max_new_tokens=3), made.sequences)

    def test_conversions(self):
        model = cinseq.load_model("stories260K")
        tokens = model.convert_string_to_tokens("Once upon")
        ids = model.convert_tokens_to_ids(tokens)
        self.assertEqual(model.convert_ids_to_tokens(np.asarray([ids, ids])), [tokens, tokens])
        self.assertEqual(model.convert_tokens_to_string(tokens), "Once upon")
        self.assertEqual("".join(model.clean_tokens(tokens)).replace(" ", ""), "Onceupon")
        self.assertEqual((model.bos_token, model.eos_token_id), ("<s>", model.tokenizer.eos_token_id))


class InMemory(unittest.TestCase):
    """Weights in numpy's arrays: as PyTorch's, without PyTorch."""

    def weights(self):
        import json
        import struct

        folder = MODELS / "stories260K"
        blob = (folder / "model.safetensors").read_bytes()
        (length,) = struct.unpack("<Q", blob[:8])
        header = json.loads(blob[8:8 + length])
        header.pop("__metadata__", None)
        types = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16}
        arrays = {}
        for name, facts in header.items():
            begin, end = (8 + length + at for at in facts["data_offsets"])
            arrays[name] = facts["dtype"], np.frombuffer(blob[begin:end], dtype=types[facts["dtype"]]).reshape(facts["shape"]).copy()
        return {"config.json": json.loads((folder / "config.json").read_text())}, arrays

    def open(self, files, arrays):
        tensors = [(name, dtype, array.shape, array.ctypes.data) for name, (dtype, array) in arrays.items()]
        return _open.open_tensors("mine", files, tensors, arrays, {"tokenizer": str(MODELS / "stories260K")})

    def generated(self, handle):
        request = _library.text({"input_texts": ["Once upon"], "generation_kwargs": {"max_new_tokens": 8}})
        return _library.take(_library.run(_library.library.generate, handle.address, request))

    def test_arrays_are_read_where_they_lie(self):
        files, arrays = self.weights()
        folder = cinseq.load_model("stories260K")
        handle = self.open(files, arrays)
        self.assertEqual(handle.facts["checkpoint"]["format"], "memory")
        self.assertEqual(self.generated(handle), self.generated(folder._handle))
        name = next(name for name in arrays if name.endswith("layers.0.mlp.down_proj.weight"))
        arrays[name][1][:] = 0
        self.assertNotEqual(self.generated(handle), self.generated(folder._handle))

    def test_bfloat16_is_uint16(self):
        files, arrays = self.weights()
        halves = {name: ("BF16", (np.asarray(array, np.float32).view(np.uint32) >> 16).astype(np.uint16)) for name, (_, array) in arrays.items()}
        widened = {name: ("F32", (array.astype(np.uint32) << 16).view(np.float32)) for name, (_, array) in halves.items()}
        self.assertEqual(self.generated(self.open(files, halves)), self.generated(self.open(files, widened)))

    def test_what_is_missing(self):
        files, arrays = self.weights()
        arrays.pop("model.norm.weight")
        with self.assertRaisesRegex(RuntimeError, "model.norm.weight"):
            self.open(files, arrays)


if __name__ == "__main__":
    unittest.main()
