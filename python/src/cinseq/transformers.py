"""The names that notebooks import from transformers: they keep what they are given, and load_model opens the files.

    from cinseq.transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    model = cinseq.load_model(AutoModelForSeq2SeqLM.from_pretrained("zh-en-mini"), "saliency")
"""
from __future__ import annotations

import warnings
from typing import Any

_WARNED: set[str] = set()


def _warn_once(message: str) -> None:
    if message not in _WARNED:
        _WARNED.add(message)
        warnings.warn(message, stacklevel=4)


def _on_the_cpu(value: Any) -> None:
    """device_map and to(): there is one device."""
    if str(value) not in ("None", "cpu", "auto"):
        _warn_once(f"{value!r}: cinseq computes on the CPU")


class _Pretrained:
    """A name and what is to be said when it is opened."""

    # from_pretrained's arguments that the library takes, as they are
    _taken = ("load_in_8bit", "quantization_config", "revision", "cache_dir", "token", "local_files_only")
    # those that mean nothing here
    _passed_over = ("low_cpu_mem_usage", "trust_remote_code", "use_safetensors", "attn_implementation", "use_fast", "_fast_init")

    def __init__(self, name_or_path: str, kwargs: dict[str, Any]):
        self.name_or_path, self.model_kwargs = name_or_path, kwargs

    @classmethod
    def from_pretrained(cls, name_or_path: str, **kwargs: Any) -> Any:
        _on_the_cpu(kwargs.pop("device_map", None))
        kept: dict[str, Any] = {}
        dtype = kwargs.pop("dtype", kwargs.pop("torch_dtype", None))
        if dtype is not None:
            kept["dtype"] = str(dtype).rpartition(".")[2]
        for name, value in kwargs.items():
            if name in cls._taken:
                kept[name] = value
            elif name not in cls._passed_over:
                raise TypeError(f"{cls.__name__}.from_pretrained: cinseq has no {name}")
        return cls(name_or_path, kept)

    def to(self, device: Any) -> Any:
        _on_the_cpu(device)
        return self

    def eval(self) -> Any:
        return self

    def cuda(self) -> Any:
        return self.to("cuda")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name_or_path!r})"


class AutoModelForCausalLM(_Pretrained):
    """A decoder-only model."""


class AutoModelForSeq2SeqLM(_Pretrained):
    """An encoder-decoder model."""


class AutoTokenizer(_Pretrained):
    """The tokenizer of a model's folder."""


class AutoConfig(_Pretrained):
    """The configuration of a model's folder."""


class BitsAndBytesConfig:
    """What quantization_config= takes."""

    def __init__(self, **kwargs: Any):
        for name in ("load_in_4bit",):
            if kwargs.get(name):
                raise ValueError(f"{name}: cinseq quantises to 8 bits alone; a GGUF file may have fewer")
        self._values = kwargs

    def to_dict(self) -> dict[str, Any]:
        return dict(self._values)
