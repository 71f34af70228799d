"""model.tokenizer answers as transformers' tokenizers do."""
from __future__ import annotations

import json
import os
import pathlib
import tempfile
import unittest
from typing import Optional, Union

import numpy as np

import cinseq
from cinseq.transformers import AutoConfig, AutoTokenizer

MODELS = pathlib.Path(__file__).parents[2] / "models"
FAIRSEQ = pathlib.Path(__file__).parents[2] / "tests" / "data" / "tokenizers" / "slow" / "fairseq.model"
TEMPLATE = ("{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
            "{% if add_generation_prompt %}<answer>{% endif %}{{ mood }}")


class Calls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = cinseq.load_model("stories260K")
        cls.tokenizer = cls.model.tokenizer

    def test_one_and_several(self):
        one = self.tokenizer("Once upon")
        self.assertEqual(one["input_ids"], self.tokenizer.encode("Once upon"))
        self.assertEqual(one.attention_mask, [1] * len(one.input_ids))
        several = self.tokenizer(["Once upon a time", "A"])
        self.assertEqual(several.input_ids[1], self.tokenizer.encode("A"))
        self.assertEqual(self.tokenizer("A", return_tensors="np").input_ids.shape, (1, len(several.input_ids[1])))

    def test_padding(self):
        several = self.tokenizer(["Once upon a time", "A"], padding=True, return_tensors="np")
        missing = several.attention_mask.shape[1] - int(several.attention_mask[1].sum())
        self.assertGreater(missing, 0)  # a decoder-only model: on the left, as Inseq sets it
        self.assertEqual(several.input_ids[1, :missing].tolist(), [self.tokenizer.pad_token_id] * missing)
        right = self.tokenizer(["Once upon a time", "A"], padding="max_length", max_length=12, padding_side="right")
        self.assertEqual((len(right.input_ids[1]), right.attention_mask[1][-1]), (12, 0))
        with self.assertRaisesRegex(ValueError, "padding=True"):
            self.tokenizer(["Once upon a time", "A"], return_tensors="np")

    def test_truncation_keeps_what_stands_around(self):
        cut = self.tokenizer("Once upon a time there was", truncation=True, max_length=4)
        self.assertEqual(cut.input_ids[0], self.tokenizer.bos_token_id)
        self.assertEqual(cut.input_ids[1:], self.tokenizer.encode("Once upon a time there was", add_special_tokens=False)[-3:])
        target = cinseq.load_model("zh-en-mini").tokenizer(text_target="I am very happy today.", truncation=True, max_length=3)
        self.assertEqual((len(target.input_ids), target.input_ids[-1]), (3, 0))

    def test_wrong_arguments(self):
        for kind, words, call in ((TypeError, "text: expected text, not int", lambda: self.tokenizer(3)),
                                  (TypeError, "text_target", lambda: self.tokenizer()),
                                  (TypeError, "stride", lambda: self.tokenizer("a", stride=3)),
                                  (ValueError, "padding", lambda: self.tokenizer("a", padding="left")),
                                  (ValueError, "return_tensors", lambda: self.tokenizer("a", return_tensors="tf")),
                                  (ValueError, "truncation", lambda: self.tokenizer("a", truncation="some"))):
            with self.subTest(words), self.assertRaisesRegex(kind, words):
                call()

    def test_there_and_back(self):
        t = self.tokenizer
        ids = np.asarray(t.encode("Once upon"))
        self.assertEqual(t.decode(ids, skip_special_tokens=True), "Once upon")
        self.assertEqual(t.decode(t(["Once upon", "A"], padding=True, return_tensors="np").input_ids[1], skip_special_tokens=True), "A")
        self.assertEqual(t.batch_decode([ids, ids], skip_special_tokens=True), ["Once upon"] * 2)
        tokens = t.convert_ids_to_tokens(ids)
        self.assertEqual(tokens[1:], t.tokenize("Once upon"))
        self.assertEqual(t.convert_tokens_to_ids(tokens), ids.tolist())
        self.assertEqual(t.convert_ids_to_tokens(ids, skip_special_tokens=True), tokens[1:])
        self.assertEqual(t.convert_tokens_to_string(tokens[1:]), "Once upon")
        self.assertEqual(t.convert_tokens_to_ids("no such token"), t.unk_token_id)
        self.assertIsNone(t.convert_ids_to_tokens(10**6))

    def test_facts(self):
        t = self.tokenizer
        self.assertEqual((t.bos_token, t.eos_token, t.unk_token), ("<s>", "</s>", "<unk>"))
        self.assertEqual([t.convert_tokens_to_ids(one) for one in t.all_special_tokens], t.all_special_ids)
        vocabulary = t.get_vocab()
        self.assertEqual((len(vocabulary), vocabulary["<s>"]), (len(t), t.bos_token_id))
        self.assertEqual(t.vocab_size, 512)
        self.assertEqual(t.special_tokens_map["eos_token"], "</s>")
        with self.assertRaisesRegex(AttributeError, "language"):
            t.lang_code_to_id  # noqa: B018

    def test_conversations(self):
        messages = [{"role": "user", "content": "Hi"}]
        t = self.tokenizer
        self.assertEqual(t.apply_chat_template(messages, chat_template=TEMPLATE, tokenize=False, mood="!"), "<user>Hi!")
        both = t.apply_chat_template([messages, messages], chat_template=TEMPLATE, add_generation_prompt=True)
        self.assertEqual(both[0], t.encode("<user>Hi<answer>", add_special_tokens=False))
        self.assertEqual(both[0], both[1])
        with self.assertRaisesRegex(ValueError, "chat template"):
            t.apply_chat_template(messages)

    def test_functions_are_tools(self):
        """Their schemas as transformers 4.57's get_json_schema gives them."""
        def weather(city: str, days: int = 1, unit: Optional[str] = None,  # noqa: UP045  as of Python 3.9
                    days_of: Union[list[int], None, str] = None) -> dict[str, float]:  # noqa: UP007
            """
            Says what the weather will be.

            Args:
                city: Where: a name
                    of a place
                days: How many
                unit: Of the temperature (choices: ["C", "F"])
                days_of: Which

            Returns:
                Temperatures by day
            """

        schema = {"type": "function", "function": {
            "name": "weather", "description": "Says what the weather will be.",
            "parameters": {"type": "object", "properties": {
                "city": {"type": "string", "description": "Where: a name of a place"},
                "days": {"type": "integer", "description": "How many"},
                "unit": {"type": "string", "nullable": True, "enum": ["C", "F"], "description": "Of the temperature"},
                "days_of": {"type": ["array", "string"], "nullable": True, "description": "Which"}}, "required": ["city"]},
            "return": {"type": "object", "additionalProperties": {"type": "number"}, "description": "Temperatures by day"}}}
        t = self.tokenizer
        shown = "{{ tools|tojson }}"
        for tools in ([weather], [schema]):
            made = t.apply_chat_template([{"role": "user", "content": "Hi"}], tools, chat_template=shown, tokenize=False)
            self.assertEqual(json.loads(made), [schema])

        def bare(city):
            """Says nothing.

            Args:
                city: Where
            """

        def silent(city: str): ...

        for wrong, problem, said in ((bare, TypeError, "bare: its argument city has no type hint"), (silent, ValueError, "silent has no docstring"),
                                     (3, ValueError, "expected JSON schemas or functions")):
            with self.assertRaisesRegex(problem, said):
                t.apply_chat_template([{"role": "user", "content": "Hi"}], [wrong], chat_template=shown)

    def test_the_last_message_goes_on(self):
        messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "So it "}]
        blocks = [{"role": "assistant", "content": [{"type": "text", "text": "So"}, {"type": "image"}]}]
        of_blocks = "{% for m in messages %}<{{ m.role }}>{% for b in m.content %}{{ b.text }}{% endfor %}</s>{% endfor %}"
        t = self.tokenizer

        def made(chat, template, **more):
            return t.apply_chat_template(chat, chat_template=template, tokenize=False, continue_final_message=True, **more)

        template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
        self.assertEqual(made(messages, template), "<user>Hi</s><assistant>So it ")
        self.assertEqual(made(messages, template.replace("content", "content|trim")), "<user>Hi</s><assistant>So it")
        self.assertEqual(made(blocks, of_blocks), "<assistant>So")
        self.assertEqual(messages[1]["content"], "So it ")
        with self.assertRaisesRegex(ValueError, "only one of them"):
            made(messages, template, add_generation_prompt=True)
        with self.assertRaisesRegex(ValueError, "leaves out some of the last message"):
            made(messages, "{{ messages[0].content }}")


class Languages(unittest.TestCase):
    def test_they_can_be_set(self):
        with tempfile.TemporaryDirectory() as folder:
            os.symlink(FAIRSEQ, os.path.join(folder, "sentencepiece.bpe.model"))
            pathlib.Path(folder, "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "MBart50Tokenizer"}))
            model = cinseq.load_model("stories260K", tokenizer=folder, tokenizer_kwargs={"tgt_lang": "fr_XX"})
            t = model.tokenizer
            self.assertEqual((t.src_lang, t.tgt_lang, len(t.lang_code_to_id)), ("en_XX", "fr_XX", 52))
            self.assertEqual(t.encode("a")[0], t.lang_code_to_id["en_XX"])
            t.src_lang = "de_DE"
            self.assertEqual((t.src_lang, t.tgt_lang), ("de_DE", "fr_XX"))
            self.assertEqual(model.encode("a").input_ids[0, 0], t.lang_code_to_id["de_DE"])
            self.assertEqual(t.encode("a", as_targets=True)[0], t.get_lang_id("fr_XX"))
            with self.assertRaisesRegex(ValueError, "xx"):
                t.src_lang = "xx"
            self.assertEqual(t.encode("a")[0], t.lang_code_to_id["de_DE"])


class Handles(unittest.TestCase):
    def test_a_tokenizer_opens_its_folder_when_it_is_asked(self):
        lazy = AutoTokenizer.from_pretrained("stories260K", use_fast=True)
        self.assertNotIn("opened", vars(lazy))
        self.assertEqual(lazy("Once").input_ids, cinseq.load_model("stories260K").tokenizer("Once").input_ids)
        self.assertEqual((lazy.eos_token, len(lazy)), ("</s>", 512))
        self.assertEqual(AutoConfig.from_pretrained("stories260K").model_type, "llama")
        with self.assertRaisesRegex(TypeError, "subfolder"):
            AutoTokenizer.from_pretrained("stories260K", subfolder="x")


if __name__ == "__main__":
    unittest.main()
