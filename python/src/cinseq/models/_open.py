"""Opening models: a folder is mapped once however often it is loaded; a PyTorch model is read where its weights lie."""
from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterable
from typing import Any, Callable

from .._library import MOST_DIMENSIONS, CTensor, library, run, take, text
from ._arguments import warn
from ._modules import Tree


class ModelHandle:
    """Owns a cinseq_model, and what its tensors point to."""

    def __init__(self, address: int, kept: Any = None):
        self.address, self.kept = address, kept
        self.facts: dict[str, Any] = json.loads(take(library.model_info(address)))

    @functools.cached_property
    def tokenizer_facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(take(library.tokenizer_info(self.address)))
        return facts

    @functools.cached_property
    def files(self) -> dict[str, Any]:
        """config.json and generation_config.json."""
        files: dict[str, Any] = json.loads(take(library.model_files(self.address)))
        return files

    @functools.cached_property
    def tree(self) -> Tree:
        return Tree(self.address)

    def __del__(self) -> None:
        library.model_close(self.address)


# ---- files ----

_OPEN: weakref.WeakValueDictionary[Any, ModelHandle] = weakref.WeakValueDictionary()
_OPENING: dict[Any, threading.Lock] = {}  # by the same keys: who opens a model, and who waits for it
_LOCK = threading.Lock()


def _renew_locks() -> None:
    """After a fork no other thread is there to let go of them."""
    global _LOCK
    _LOCK = threading.Lock()
    _OPENING.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def _identities(path: str) -> tuple[Any, ...]:
    """Name, size, time and number of each file of a folder; of a .gguf file those beside it, which may be its shards."""
    folder = path if os.path.isdir(path) else os.path.dirname(path) or "."
    ending = "" if folder == path else ".gguf"
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(ending) and entry.is_file():
                facts = entry.stat()
                found.append((entry.name, facts.st_size, facts.st_mtime_ns, facts.st_ino, facts.st_dev))
    return tuple(sorted(found))


def _located(name: str, request: dict[str, Any]) -> str:
    return os.path.realpath(take(run(library.model_locate, name.encode(), text(request), warning=warn)))


def _shared(key: Any, opened: Callable[[], ModelHandle]) -> ModelHandle:
    """The open model of that key, opened if nobody holds it. Threads that ask for one model open it once."""
    with _LOCK:
        opening = _OPENING.setdefault(key, threading.Lock())
    try:
        with opening:
            with _LOCK:
                handle = _OPEN.get(key)
            if handle is None:
                handle = opened()
                with _LOCK:
                    _OPEN[key] = handle
        return handle
    finally:
        with _LOCK:
            _OPENING.pop(key, None)


def open_files(name: str, request: dict[str, Any]) -> ModelHandle:
    """The model of a folder, file or name, shared with whoever has it open under that name with the same request."""
    path = _located(name, request)
    hub = {key: value for key, value in request.get("model_kwargs", {}).items() if key in ("cache_dir", "token", "local_files_only")}
    tokenizer = _located(request["tokenizer"], {"model_kwargs": hub}) if "tokenizer" in request else path
    key = (path, name, text(request), _identities(path), _identities(tokenizer))
    return _shared(key, lambda: ModelHandle(run(library.model_open, name.encode(), text(request), warning=warn)))


# ---- weights in memory ----

def open_tensors(name: str, files: dict[str, Any], tensors: Iterable[tuple[str, str, tuple[int, ...], int]], kept: Any,
                 request: dict[str, Any]) -> ModelHandle:
    """The model of (name, safetensors' dtype, shape, address) of each tensor, which `kept` keeps alive. files: what config.json and
    generation_config.json would hold."""
    listed = list(tensors)
    array = (CTensor * max(len(listed), 1))()
    for slot, (own, dtype, shape, address) in zip(array, listed):
        if len(shape) > MOST_DIMENSIONS:
            raise ValueError(f"model: {own} has {len(shape)} dimensions, expected at most {MOST_DIMENSIONS}")
        slot.name, slot.dtype, slot.rank, slot.data = own.encode(), dtype.encode(), len(shape), address
        slot.shape[:len(shape)] = shape
    return ModelHandle(run(library.model_open_tensors, name.encode(), text(files), array, len(listed), text(request), warning=warn), kept)


_TYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "float64": "F64", "int64": "I64", "int32": "I32", "int16": "I16",
          "int8": "I8", "uint8": "U8", "bool": "BOOL", "float8_e4m3fn": "F8_E4M3"}


def _state(model: Any) -> list[tuple[str, Any]]:
    """The tensors of a PyTorch model, on the CPU and without gaps; those that are so already are not copied."""
    found = []
    for name, tensor in model.state_dict().items():
        if not hasattr(tensor, "data_ptr"):
            continue  # a module's extra state
        if str(tensor.device) == "meta":
            raise ValueError(f"model: {name} is on the meta device: it has no numbers")
        dtype = str(tensor.dtype).rpartition(".")[2]
        if dtype not in _TYPES:
            raise TypeError(f"model: {name} is of {tensor.dtype}, expected one of {', '.join(_TYPES)}")
        found.append((name, tensor.detach().to("cpu").contiguous()))
    return found


def _config(model: Any) -> dict[str, Any]:
    """config.json of a PyTorch model as its weights are now: a head that is another tensor than the embedding is not tied to it."""
    config: dict[str, Any] = json.loads(model.config.to_json_string(use_diff=False))
    heads = [getattr(model, name)() for name in ("get_input_embeddings", "get_output_embeddings")]
    places = {head.weight.data_ptr() for head in heads if hasattr(head, "weight")}
    if config.get("tie_word_embeddings") and len(places) > 1:
        config["tie_word_embeddings"] = False
    return config


def is_torch_model(model: Any) -> bool:
    return callable(getattr(model, "state_dict", None)) and hasattr(model, "config")


def open_torch(model: Any, request: dict[str, Any]) -> ModelHandle:
    """transformers' PreTrainedModel, by its config and state dict. Weights that are changed in place are changed here too, except
    where they are converted (load_in_8bit, dtype) or widened (16-bit vectors)."""
    if hasattr(model, "peft_config"):
        raise TypeError("model: has adapters: model.merge_and_unload() makes weights of them that can be read")
    files = {"config.json": _config(model)}
    generation = getattr(model, "generation_config", None)
    if generation is not None:
        files["generation_config.json"] = json.loads(generation.to_json_string(use_diff=True))
    state = _state(model)
    tensors = [(name, _TYPES[str(t.dtype).rpartition(".")[2]], tuple(t.shape), t.data_ptr()) for name, t in state]
    handle = open_tensors(getattr(model, "name_or_path", "") or type(model).__name__, files, tensors, (model, state), request)
    classes = [one.__name__ for one in type(model).__mro__]
    if handle.facts["class"] not in classes:
        raise TypeError(f"model: {classes[0]} generates no text that can be attributed, expected {handle.facts['class']}")
    return handle


class TokenizerFiles:
    """A folder with the files of a transformers (or tokenizers) tokenizer object, for as long as `with` lasts."""

    def __init__(self, tokenizer: Any):
        self.tokenizer = tokenizer

    def __enter__(self) -> str:
        self.folder = tempfile.mkdtemp(prefix="cinseq-tokenizer-")
        try:
            if hasattr(self.tokenizer, "save_pretrained"):
                self.tokenizer.save_pretrained(self.folder)
            else:
                self.tokenizer.save(os.path.join(self.folder, "tokenizer.json"))
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self.folder

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


class Source:
    """What a model is opened from: a name or a PyTorch model, the tokenizer where it is another or an object, and options."""

    def __init__(self, name: str | None, torch_model: Any, tokenizer: Any, request: dict[str, Any]):
        self.name, self.torch_model, self.tokenizer, self.request = name, torch_model, tokenizer, request

    def open(self, tokenizer_kwargs: dict[str, Any] | None = None) -> ModelHandle:
        """tokenizer_kwargs: on top of those that there are, and kept."""
        kwargs = self.request["tokenizer_kwargs"] | (tokenizer_kwargs or {})
        request = self.request | {"tokenizer_kwargs": kwargs}
        named = self.tokenizer is None or isinstance(self.tokenizer, str)
        with contextlib.nullcontext(self.tokenizer) if named else TokenizerFiles(self.tokenizer) as folder:
            given = request if folder is None else request | {"tokenizer": folder}
            handle = open_torch(self.torch_model, given) if self.name is None else open_files(self.name, given)
        self.request = request
        return handle

    def path_of(self, module: Any) -> str:
        """The name of a module of the PyTorch model."""
        for name, one in self.torch_model.named_modules() if self.torch_model is not None else ():
            if one is module:
                return str(name)
        raise TypeError(f"target_layer: {type(module).__name__} is no module of the model that was loaded: give its name")


class Opened:
    """What a model and its tokenizer share: the handle, which another takes the place of where the tokenizer's settings change."""

    def __init__(self, source: Source):
        self.source, self.handle = source, source.open()

    def reopen(self, tokenizer_kwargs: dict[str, Any]) -> None:
        """A setting that is refused leaves everything as it was."""
        self.handle = self.source.open(tokenizer_kwargs)
