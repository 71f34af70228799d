"""The tokenizer of an open model, with the methods that notebooks call on transformers' tokenizers."""
from __future__ import annotations

import ctypes
import json
from collections.abc import Iterable, Mapping
from typing import Any, Union

import numpy as np

from ._library import library, make, take, text
from .arrays import Array

_UNLIMITED = int(1e30)  # transformers' model_max_length where nothing is said
Texts = Union[str, Iterable[str], None]


class Encoding(dict[str, Any]):
    """transformers' BatchEncoding: input_ids and attention_mask by name, as members too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def to(self, device: Any) -> Encoding:
        return self


def _arrays(rows: list[list[int]], kind: str | None) -> Any:
    if kind is None:
        return rows
    if len({len(row) for row in rows}) > 1:
        raise ValueError("return_tensors: the texts have different numbers of tokens: padding=True makes them one array")
    made = np.asarray(rows, dtype=np.int64).reshape(len(rows), -1)
    if kind == "np":
        return Array(made)
    if kind != "pt":
        raise ValueError(f"return_tensors: expected \"np\" or \"pt\", not {kind!r}")
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return Array(made)  # which answers as a tensor does
    return torch.from_numpy(made)


def _token_of(role: str) -> property:
    """The token with that role, and its setter: what pads, say, is the program's own business."""
    def get(self: Tokenizer) -> str | None:
        return self._special(role)

    def put(self: Tokenizer, token: str | None) -> None:
        self._special_tokens[role] = token

    return property(get, put)


def _id_of(role: str) -> property:
    def get(self: Tokenizer) -> Any:
        return self.convert_tokens_to_ids(self._special(role))

    def put(self: Tokenizer, token_id: int | None) -> None:
        self._special_tokens[role] = None if token_id is None else self.convert_ids_to_tokens(token_id)

    return property(get, put)


def _listed(ids: Any) -> Any:
    """Lists of what may be an array or a tensor."""
    return ids.tolist() if hasattr(ids, "tolist") else ids


class Tokenizer:
    """model.tokenizer. src_lang and tgt_lang of multilingual tokenizers can be set: the model is opened with them."""

    model_input_names = ("input_ids", "attention_mask")

    def __init__(self, opened: Any, name_or_path: str, left: bool = False):
        self._opened, self.name_or_path = opened, name_or_path
        special_ids = opened.handle.facts["special_ids"]
        side = "left" if left else "right"  # Inseq's, of decoder-only models
        self.padding_side = side if left else self._facts.get("padding_side", side)
        self.truncation_side = side if left else self._facts.get("truncation_side", side)
        self.model_max_length = self._facts.get("model_max_length") or _UNLIMITED
        self._special_tokens: dict[str, Any] = {role.rpartition("_")[0]: token for role, token in self._facts["special_tokens"].items()}
        for role in ("pad", "unk"):  # as Inseq fills them
            if self._special_tokens.get(role) is None and special_ids[role] >= 0:
                self._special_tokens[role] = self.convert_ids_to_tokens(special_ids[role])

    @property
    def _address(self) -> int:
        address: int = self._opened.handle.address
        return address

    @property
    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = self._opened.handle.tokenizer_facts
        return facts

    # ---- text to tokens ----

    def _encode(self, sentence: Any, as_targets: bool, add_special_tokens: bool) -> dict[str, Any]:
        if not isinstance(sentence, str):
            raise TypeError(f"text: expected text, not {type(sentence).__name__}")
        options = text({"as_targets": as_targets, "add_special_tokens": add_special_tokens})
        encoded: dict[str, Any] = json.loads(take(make(library.encode, self._address, sentence.encode("utf-8", "replace"), options)))
        return encoded

    def _cut(self, sentence: str, as_targets: bool, special: bool, most: int) -> list[int]:
        """At most so many ids: what is cut is cut from the text, not from what stands around it."""
        whole: list[int] = self._encode(sentence, as_targets, special)["ids"]
        if len(whole) <= most:
            return whole
        bare: list[int] = self._encode(sentence, as_targets, False)["ids"] if special else whole
        around = len(whole) - len(bare)
        before = next((i for i in range(around + 1) if whole[i:i + len(bare)] == bare), 0)
        room = max(most - around, 0)
        kept = bare[len(bare) - room:] if self.truncation_side == "left" else bare[:room]
        return whole[:before] + kept + whole[before + len(bare):]

    def encode(self, sentence: str, add_special_tokens: bool = True, as_targets: bool = False, **options: Any) -> Any:
        """The ids of one text; further arguments as in a call."""
        if not options:
            return self._encode(sentence, as_targets, add_special_tokens)["ids"]
        text, target = (None, sentence) if as_targets else (sentence, None)
        return self(text, target, add_special_tokens, **options)["input_ids"]

    def tokenize(self, sentence: str, add_special_tokens: bool = False, as_targets: bool = False) -> list[str]:
        tokens: list[str] = self._encode(sentence, as_targets, add_special_tokens)["tokens"]
        return tokens

    def __call__(self, text: Texts = None, text_target: Texts = None, add_special_tokens: bool = True, padding: bool | str = False,
                 truncation: bool | str | None = None, max_length: int | None = None, return_tensors: str | None = None,
                 padding_side: str | None = None, return_attention_mask: bool | None = None, verbose: bool = True) -> Encoding:
        """input_ids and attention_mask: of one text lists of ids (arrays have a first dimension of 1), of several a row for each.
        With both text and text_target the target's ids are "labels"."""
        given = text if text is not None else text_target
        if given is None:
            raise TypeError("text or text_target is needed")
        if not isinstance(given, (str, Iterable)):
            raise TypeError(f"text: expected text, not {type(given).__name__}")
        single = isinstance(given, str)
        most = self._most(truncation, max_length)
        rows = [self._cut(one, text is None, add_special_tokens, most) for one in ([given] if isinstance(given, str) else given)]
        made = self.pad({"input_ids": rows}, padding, max_length, padding_side)
        if return_attention_mask is False:
            del made["attention_mask"]
        for name in made:
            made[name] = made[name][0] if single and return_tensors is None else _arrays(made[name], return_tensors)
        if text is not None and text_target is not None:
            made["labels"] = self(None, text_target, add_special_tokens, padding, truncation, max_length, return_tensors)["input_ids"]
        return made

    def _most(self, truncation: bool | str | None, max_length: int | None) -> int:
        if truncation in (None, False, "do_not_truncate"):
            return _UNLIMITED
        if truncation not in (True, "longest_first", "only_first"):
            raise ValueError(f"truncation: expected a bool or \"longest_first\", not {truncation!r}")
        return int(self.model_max_length if max_length is None else max_length)

    def pad(self, encoded_inputs: Mapping[str, Any], padding: bool | str = True, max_length: int | None = None,
            padding_side: str | None = None, return_tensors: str | None = None) -> Encoding:
        """input_ids (lists of ids) filled up to the longest, or with padding="max_length" to max_length; with their masks."""
        rows = [list(row) for row in encoded_inputs["input_ids"]]
        if padding not in (True, False, None, "longest", "max_length", "do_not_pad"):
            raise ValueError(f"padding: expected a bool, \"longest\" or \"max_length\", not {padding!r}")
        length = 0 if padding in (False, None, "do_not_pad") else max(map(len, rows), default=0)
        if padding == "max_length":
            length = max(length, int(self.model_max_length if max_length is None else max_length))
        if length >= _UNLIMITED:
            raise ValueError("padding: \"max_length\" needs max_length, since the tokenizer says none")
        pad_id = self.pad_token_id
        if pad_id is None and any(len(row) < length for row in rows):
            raise ValueError("padding: the tokenizer has no pad token")
        left = (padding_side or self.padding_side) == "left"
        ids, masks = [], []
        for row in rows:
            missing = max(length - len(row), 0)
            ids.append([pad_id] * missing + row if left else row + [pad_id] * missing)
            masks.append([0] * missing + [1] * len(row) if left else [1] * len(row) + [0] * missing)
        return Encoding(input_ids=_arrays(ids, return_tensors), attention_mask=_arrays(masks, return_tensors))

    def apply_chat_template(self, conversation: Any, tools: Any = None, documents: Any = None, chat_template: str | None = None,
                            add_generation_prompt: bool = False, tokenize: bool = True, padding: bool | str = False,
                            truncation: bool = False, max_length: int | None = None, return_tensors: str | None = None,
                            return_dict: bool = False, continue_final_message: bool = False, **variables: Any) -> Any:
        """A conversation, or a list of them, as the prompt of the model's chat template: ids, or text with tokenize=False.

        tools: JSON schemas, or functions with type hints and docstrings in Google's style. continue_final_message: the prompt ends where
        the last message does, so that the model goes on with it."""
        from . import _tools  # here, since few ask for it

        if continue_final_message and add_generation_prompt:
            raise ValueError("continue_final_message goes on with the last message, add_generation_prompt begins another: only one of them")
        several = bool(conversation) and isinstance(conversation[0], (list, tuple))
        known = variables | {"tools": _tools.schemas_of(tools), "documents": documents, "add_generation_prompt": add_generation_prompt}
        options = text({"chat_template": chat_template, "variables": known})
        prompts = []
        for one in (list(chat) for chat in (conversation if several else [conversation])):
            messages, last = _tools.left_open(one) if continue_final_message else (one, "")
            prompt = take(make(library.chat, self._address, text(messages), options))
            prompts.append(_tools.cut_at_mark(prompt, last) if continue_final_message else prompt)
        if not tokenize:
            return prompts if several else prompts[0]
        made = self(prompts if several else prompts[0], add_special_tokens=False, padding=padding, truncation=truncation,
                    max_length=max_length, return_tensors=return_tensors)
        return made if return_dict else made["input_ids"]

    # ---- tokens to text ----

    def decode(self, token_ids: Any, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool | None = None) -> str:
        ids = _listed(token_ids)
        listed = [int(i) for i in ids] if isinstance(ids, Iterable) else [int(ids)]
        array = (ctypes.c_int32 * len(listed))(*listed)
        return take(make(library.decode, self._address, array, len(listed), int(skip_special_tokens)))

    def batch_decode(self, sequences: Any, skip_special_tokens: bool = False, clean_up_tokenization_spaces: bool | None = None) -> list[str]:
        return [self.decode(ids, skip_special_tokens) for ids in _listed(sequences)]

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        ids = _listed(ids)
        if isinstance(ids, Iterable):
            skipped = set(self.all_special_ids) if skip_special_tokens else ()
            return [self.convert_ids_to_tokens(one) for one in ids if one not in skipped]
        token = library.token(self._address, int(ids))
        return None if token is None else token.decode("utf-8", "replace")

    def convert_tokens_to_ids(self, tokens: str | Iterable[str] | None) -> Any:
        if tokens is None:
            return None
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(one) for one in tokens]
        found = library.token_id(self._address, tokens.encode("utf-8", "surrogatepass"))
        return self.unk_token_id if found < 0 else found

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        if isinstance(tokens, str) or len(tokens) == 1:
            one = tokens if isinstance(tokens, str) else tokens[0]
            return take(library.token_text(self._address, one.encode("utf-8", "surrogatepass")))
        return self.decode(self.convert_tokens_to_ids(tokens))

    # ---- special tokens ----

    def _special(self, role: str) -> str | None:
        found: str | None = self._special_tokens.get(role)
        return found

    bos_token, eos_token, unk_token, sep_token = map(_token_of, ("bos", "eos", "unk", "sep"))
    pad_token, cls_token, mask_token = map(_token_of, ("pad", "cls", "mask"))
    bos_token_id, eos_token_id, unk_token_id, sep_token_id = map(_id_of, ("bos", "eos", "unk", "sep"))
    pad_token_id, cls_token_id, mask_token_id = map(_id_of, ("pad", "cls", "mask"))

    @property
    def special_tokens_map(self) -> dict[str, Any]:
        """Roles and their tokens."""
        more = self.additional_special_tokens
        roles = {role + "_token": token for role, token in self._special_tokens.items() if token is not None}
        return roles | ({"additional_special_tokens": more} if more else {})

    all_special_tokens = property(lambda self: list(self._facts["all_special_tokens"]))
    all_special_ids = property(lambda self: list(self._facts["all_special_ids"]))
    additional_special_tokens = property(lambda self: list(self._facts["additional_special_tokens"]))
    chat_template = property(lambda self: self._facts["chat_template"])

    # ---- languages ----

    @property
    def lang_code_to_id(self) -> dict[str, int]:
        """The ids of the languages' tokens by code ("fr_XX", "fra_Latn", "fr")."""
        if "languages" not in self._facts:
            raise AttributeError(f"the texts of a {self._facts['class']} have no language")
        return dict(self._facts["languages"])

    def get_lang_id(self, lang: str) -> int:
        return self.lang_code_to_id[lang]

    def _set_language(self, key: str, code: str | None) -> None:
        self._opened.reopen({key: code})

    @property
    def src_lang(self) -> str | None:
        """The language of the texts that the model reads."""
        return self._facts.get("src_lang")

    @src_lang.setter
    def src_lang(self, code: str) -> None:
        self._set_language("src_lang", code)

    @property
    def tgt_lang(self) -> str | None:
        """The language of those that it writes."""
        return self._facts.get("tgt_lang")

    @tgt_lang.setter
    def tgt_lang(self, code: str) -> None:
        self._set_language("tgt_lang", code)

    # ---- the vocabulary ----

    @property
    def vocab_size(self) -> int:
        """Without added tokens, as transformers counts."""
        size: int = self._facts["vocab_size"]
        return size

    def __len__(self) -> int:
        size: int = self._facts["length"]
        return size

    def get_vocab(self) -> dict[str, int]:
        tokens = ((self.convert_ids_to_tokens(i), i) for i in range(self._facts["ids"]))
        return {token: i for token, i in tokens if token is not None}

    @property
    def is_fast(self) -> bool:
        return bool(self._facts["class"].endswith("Fast"))

    def __repr__(self) -> str:
        return f"{self._facts['class']}({self.name_or_path!r}, {len(self)} tokens)"
