"""The names that notebooks import from transformers: they keep what they are given, and load_model opens the files.

    from cinseq.transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    model = cinseq.load_model(AutoModelForSeq2SeqLM.from_pretrained("zh-en-mini"), "saliency")

What is asked of a tokenizer or a configuration before that opens them, as transformers would have.
"""
from __future__ import annotations

import os
from typing import Any

from ._pretrained import check_device, model_arguments, refuse_4bit


class Pretrained:
    """A name and what is to be said when it is opened."""

    _encoder_decoder: bool | None = None  # what load_model has to find

    def __init__(self, name_or_path: str, model_kwargs: dict[str, Any], tokenizer_kwargs: dict[str, Any]):
        self.name_or_path, self.model_kwargs, self.tokenizer_kwargs = name_or_path, model_kwargs, tokenizer_kwargs

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        where = f"{cls.__name__}.from_pretrained"
        if not isinstance(pretrained_model_name_or_path, (str, os.PathLike)):
            raise TypeError(f"{where}: expected a name or a path, not {type(pretrained_model_name_or_path).__name__}")
        if args:
            raise TypeError(f"{where}: expected a name and named arguments")
        return cls(os.fspath(pretrained_model_name_or_path), *cls._arguments(kwargs, where))

    @classmethod
    def _arguments(cls, kwargs: dict[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
        return model_arguments(kwargs, where), {}

    def check(self, encoder_decoder: bool, found: str) -> None:
        """Once it is open: whether it is what the class stands for."""
        if self._encoder_decoder not in (None, encoder_decoder):
            raise ValueError(f"model: {self.name_or_path} is a {found}, which {type(self).__name__} does not load")

    def to(self, device: Any = None, *args: Any, **kwargs: Any) -> Any:
        check_device(device if isinstance(device, (str, int)) or hasattr(device, "type") else None)
        return self

    def eval(self) -> Any:
        return self

    def cuda(self, device: Any = None) -> Any:
        return self.to("cuda")

    def cpu(self) -> Any:
        return self

    def _opened(self) -> Any:
        from .models import load_model

        return load_model(self.name_or_path, model_kwargs=self.model_kwargs)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name_or_path!r})"


class PretrainedModel(Pretrained):
    """A model, which is opened when one of its modules is asked for: model.transformer.h[3].mlp is what target_layer takes."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("name_or_path", "model_kwargs", "tokenizer_kwargs"):
            raise AttributeError(name)
        return getattr(self._opened().model, name)


class AutoModelForCausalLM(PretrainedModel):
    """A decoder-only model."""

    _encoder_decoder = False


class AutoModelForSeq2SeqLM(PretrainedModel):
    """An encoder-decoder model."""

    _encoder_decoder = True


class AutoTokenizer(Pretrained):
    """The tokenizer of a model's folder. Asked for anything that a tokenizer does, it opens the folder."""

    # of the hub and of its kind, not of tokenizer_config.json
    _hub = ("revision", "cache_dir", "token", "local_files_only", "use_auth_token")
    _passed_over = ("use_fast", "trust_remote_code", "force_download", "resume_download")
    _refused = ("config", "subfolder", "tokenizer_type", "gguf_file", "tokenizer_file", "vocab_file", "proxies")

    @classmethod
    def _arguments(cls, kwargs: dict[str, Any], where: str) -> tuple[dict[str, Any], dict[str, Any]]:
        refused = [name for name in kwargs if name in cls._refused]
        if refused:
            raise TypeError(f"{where}: {refused[0]} is not supported by cinseq")
        hub = model_arguments({name: value for name, value in kwargs.items() if name in cls._hub}, where)
        return hub, {name: value for name, value in kwargs.items() if name not in cls._hub + cls._passed_over}

    def _opened(self) -> Any:
        from .models import load_model

        return load_model(self.name_or_path, model_kwargs=self.model_kwargs, tokenizer_kwargs=self.tokenizer_kwargs).tokenizer

    def _tokenizer(self) -> Any:
        if "opened" not in self.__dict__:
            self.__dict__["opened"] = self._opened()
        return self.__dict__["opened"]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._tokenizer(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._tokenizer()(*args, **kwargs)

    def __len__(self) -> int:
        return len(self._tokenizer())

    def __bool__(self) -> bool:
        return True


class AutoConfig(Pretrained):
    """The configuration of a model's folder, which is opened when one of its values is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._opened().model.config, name)


class BitsAndBytesConfig:
    """What quantization_config= takes."""

    def __init__(self, **kwargs: Any):
        refuse_4bit(kwargs)
        self._values = kwargs

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._values:
            raise AttributeError(name)
        return self._values[name]

    def to_dict(self) -> dict[str, Any]:
        return dict(self._values)
