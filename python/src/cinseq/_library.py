"""libcinseq.so by ctypes: its functions, its errors as exceptions, what it calls back.

There is no logic here: cinseq.h says what the functions do. A call lets other Python threads run while it works.
"""
from __future__ import annotations

import _signal  # type: ignore[import-not-found,unused-ignore]  # signal: its enumerations take longer than all else of a call
import ctypes
import functools
import json
import os
import threading
from typing import Any, Callable

from .errors import error_of

OK, EINVAL, EFILE, EMODEL, ENOMEM, ECANCEL = range(6)
SOURCE, TARGET = 0, 1
MOST_DIMENSIONS = 8
SIGINT: int = _signal.SIGINT


class CError(ctypes.Structure):
    """cinseq_error"""

    _fields_ = [("code", ctypes.c_int), ("where", ctypes.c_char * 512), ("message", ctypes.c_char * 1024)]


class CArray(ctypes.Structure):
    """cinseq_array"""

    _fields_ = [("data", ctypes.c_void_p), ("rank", ctypes.c_size_t), ("shape", ctypes.c_size_t * MOST_DIMENSIONS)]


PROGRESS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t)
WARNING = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)


class CHooks(ctypes.Structure):
    """cinseq_hooks"""

    _fields_ = [("progress", PROGRESS), ("warning", WARNING), ("context", ctypes.c_void_p)]


class CPrediction(ctypes.Structure):
    """cinseq_prediction"""

    _fields_ = [("logits", ctypes.c_void_p), ("vocabulary", ctypes.c_size_t), ("target", ctypes.c_int32), ("position", ctypes.c_size_t),
                ("text", ctypes.c_size_t), ("source", ctypes.c_void_p), ("ids", ctypes.c_void_p), ("source_count", ctypes.c_size_t),
                ("id_count", ctypes.c_size_t), ("contrast_logits", ctypes.c_void_p), ("contrast_target", ctypes.c_int32)]


VALUE = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.POINTER(CPrediction))
GRADIENT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.POINTER(CPrediction), ctypes.POINTER(ctypes.c_float))


class CScore(ctypes.Structure):
    """cinseq_score"""

    _fields_ = [("name", ctypes.c_char_p), ("value", VALUE), ("gradient", GRADIENT), ("context", ctypes.c_void_p),
                ("contrastive", ctypes.c_int)]


class CTensor(ctypes.Structure):
    """cinseq_tensor"""

    _fields_ = [("name", ctypes.c_char_p), ("dtype", ctypes.c_char_p), ("rank", ctypes.c_size_t), ("shape", ctypes.c_size_t * MOST_DIMENSIONS),
                ("data", ctypes.c_void_p)]


class CInput(ctypes.Structure):
    """cinseq_input"""

    _fields_ = [("ids", ctypes.c_void_p), ("embeddings", ctypes.c_void_p), ("count", ctypes.c_size_t)]


_HANDLE, _TEXT, _SIZE, _ERROR = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.POINTER(CError)
_OUT, _HOOKS = ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(CHooks)
# Texts that the caller frees are pointers, so that ctypes does not lose them.
_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "version": (_TEXT, []),
    "build_info": (_HANDLE, []),
    "describe": (_HANDLE, [_TEXT]),
    "free": (None, [_HANDLE]),
    "model_open": (ctypes.c_int, [_TEXT, _TEXT, _HOOKS, _OUT, _ERROR]),
    "model_open_tensors": (ctypes.c_int, [_TEXT, _TEXT, ctypes.POINTER(CTensor), _SIZE, _TEXT, _HOOKS, _OUT, _ERROR]),
    "model_locate": (ctypes.c_int, [_TEXT, _TEXT, _HOOKS, _OUT, _ERROR]),
    "model_info": (_HANDLE, [_HANDLE]),
    "model_modules": (_HANDLE, [_HANDLE]),
    "model_files": (_HANDLE, [_HANDLE]),
    "model_close": (None, [_HANDLE]),
    "encode": (ctypes.c_int, [_HANDLE, _TEXT, _TEXT, _OUT, _ERROR]),
    "decode": (ctypes.c_int, [_HANDLE, ctypes.POINTER(ctypes.c_int32), _SIZE, ctypes.c_int, _OUT, _ERROR]),
    "tokenizer_info": (_HANDLE, [_HANDLE]),
    "chat": (ctypes.c_int, [_HANDLE, _TEXT, _TEXT, _OUT, _ERROR]),
    "token": (_TEXT, [_HANDLE, ctypes.c_int32]),
    "token_id": (ctypes.c_int32, [_HANDLE, _TEXT]),
    "token_text": (_HANDLE, [_HANDLE, _TEXT]),
    "attribute": (ctypes.c_int, [_HANDLE, _TEXT, _HOOKS, _OUT, _ERROR]),
    "attribute_with": (ctypes.c_int, [_HANDLE, _TEXT, ctypes.POINTER(CScore), _SIZE, _HOOKS, _OUT, _ERROR]),
    "generate": (ctypes.c_int, [_HANDLE, _TEXT, _HOOKS, _OUT, _ERROR]),
    "score_value": (ctypes.c_int, [_TEXT, _TEXT, ctypes.POINTER(CPrediction), ctypes.POINTER(ctypes.c_double), ctypes.c_void_p, _ERROR]),
    "embedding_width": (_SIZE, [_HANDLE, ctypes.c_int]),
    "embed": (ctypes.c_int, [_HANDLE, ctypes.c_int, ctypes.c_void_p, _SIZE, ctypes.c_void_p, _ERROR]),
    "logits": (ctypes.c_int, [_HANDLE, ctypes.POINTER(CInput), ctypes.POINTER(CInput), _SIZE, _TEXT, _HOOKS, ctypes.c_void_p, _ERROR]),
    "request_check": (ctypes.c_int, [_TEXT, _TEXT, _ERROR]),
    "result_save_as": (ctypes.c_int, [_HANDLE, _TEXT, _TEXT, _ERROR]),
    "result_pair": (ctypes.c_int, [_HANDLE, _HANDLE, _OUT, _ERROR]),
    "result_merge": (ctypes.c_int, [_OUT, _SIZE, _OUT, _ERROR]),
    "result_load": (ctypes.c_int, [_TEXT, _OUT, _ERROR]),
    "result_parse": (ctypes.c_int, [_TEXT, _OUT, _ERROR]),
    "result_render": (ctypes.c_int, [_HANDLE, _TEXT, _TEXT, _OUT, _ERROR]),
    "result_aggregate": (ctypes.c_int, [_HANDLE, _TEXT, _OUT, _ERROR]),
    "result_info": (_HANDLE, [_HANDLE]),
    "result_statistics": (_HANDLE, [_HANDLE]),
    "result_close": (None, [_HANDLE]),
    "result_count": (_SIZE, [_HANDLE]),
    "result_sequence": (_HANDLE, [_HANDLE, _SIZE]),
    "result_step": (_HANDLE, [_HANDLE, _SIZE]),
    "result_set": (ctypes.c_int, [_HANDLE, _SIZE, _TEXT, ctypes.POINTER(CArray), _ERROR]),
    "sequence_class": (_TEXT, [_HANDLE]),
    "sequence_token_count": (_SIZE, [_HANDLE, ctypes.c_int]),
    "sequence_token": (_TEXT, [_HANDLE, ctypes.c_int, _SIZE, ctypes.POINTER(ctypes.c_int32)]),
    "sequence_range": (None, [_HANDLE, ctypes.POINTER(_SIZE), ctypes.POINTER(_SIZE)]),
    "sequence_attributions": (CArray, [_HANDLE, ctypes.c_int]),
    "sequence_score_name": (_TEXT, [_HANDLE, _SIZE]),
    "sequence_scores": (CArray, [_HANDLE, _TEXT]),
    "sequence_matrix_name": (_TEXT, [_HANDLE, _SIZE]),
    "sequence_matrix": (CArray, [_HANDLE, _TEXT]),
}


def _find() -> str:
    """CINSEQ_LIBRARY, the file beside this module, or what the system finds."""
    given = os.environ.get("CINSEQ_LIBRARY")
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", "libcinseq.so.0")
    return given or (beside if os.path.exists(beside) else "libcinseq.so.0")


class Library:
    """The functions without their prefix: library.version() is cinseq_version()."""

    def __init__(self, path: str):
        loaded = ctypes.CDLL(path)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(loaded, "cinseq_" + name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"libcinseq has no cinseq_{name}")


library = Library(_find())


def check(code: int, error: CError) -> None:
    """The exception for a code other than CINSEQ_OK."""
    if code != OK:
        raise error_of(code, error.where.decode("utf-8", "replace"), error.message.decode("utf-8", "replace"))


def make(function: Callable[..., int], *arguments: Any) -> int:
    """The handle that a function(..., out, error) of the library makes."""
    out, error = ctypes.c_void_p(), CError()
    check(function(*arguments, ctypes.byref(out), ctypes.byref(error)), error)
    assert out.value is not None
    return out.value


def take(address: int | None) -> str:
    """A text of the library's, which is freed."""
    if not address:
        raise MemoryError("cinseq: out of memory")
    try:
        return ctypes.string_at(address).decode("utf-8", "replace")
    finally:
        library.free(address)


def _plain(value: Any) -> Any:
    """What json does not know: modules, numpy's numbers and arrays, sets, paths, the attributes of configuration objects."""
    if hasattr(type(value), "_cinseq_path"):
        return value._cinseq_path()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    for name in ("tolist", "to_dict"):
        if hasattr(value, name):
            return getattr(value, name)()
    if isinstance(value, (set, frozenset, range)):
        return list(value)
    raise TypeError(f"{type(value).__name__} is nothing that can be asked for: {value!r}")


_ENCODER = json.JSONEncoder(ensure_ascii=False, default=_plain)


def text(request: Any) -> bytes:
    """What a function takes as JSON."""
    return _ENCODER.encode(request).encode("utf-8", "surrogatepass")


Progress = Callable[[str, int, int], None]


def _interruptible() -> bool:
    """Whether Ctrl-C is for us to hear of: as elsewhere in Python, in the main thread, and where nobody else listens."""
    return threading.current_thread() is threading.main_thread() and _signal.getsignal(SIGINT) is _signal.default_int_handler


def run(function: Callable[..., int], *arguments: Any, progress: Progress | None = None,
        warning: Callable[[str], None] | None = None, raised: list[BaseException] | None = None, keep: bool = False) -> int:
    """make() with hooks. Ctrl-C, what the hooks raise and what other callbacks put into `raised` end the call, and are raised when
    it has returned: in the middle of a callback they would be lost. keep: the request asks for what is done by then ("keep_finished"),
    which after Ctrl-C is the result."""
    raised = [] if raised is None else raised

    def on_progress(context: Any, stage: bytes, done: int, total: int) -> int:
        try:
            if progress and not raised:
                progress(stage.decode(), done, total)
        except BaseException as problem:  # noqa: BLE001  the C code has to return first
            raised.append(problem)
        return bool(raised)

    def on_warning(context: Any, message: bytes) -> None:
        try:
            if warning:
                warning(message.decode("utf-8", "replace"))
        except BaseException as problem:  # noqa: BLE001  "warnings are errors"
            raised.append(problem)

    hooks = CHooks(PROGRESS(on_progress), WARNING(on_warning), None)
    out, error = ctypes.c_void_p(), CError()
    ours = _interruptible()
    if ours:
        _signal.signal(SIGINT, lambda number, frame: raised.append(KeyboardInterrupt()))
    try:
        code = function(*arguments, ctypes.byref(hooks), ctypes.byref(out), ctypes.byref(error))
    finally:
        if ours:
            _signal.signal(SIGINT, _signal.default_int_handler)
    kept = keep and code == OK
    if raised and kept and not isinstance(raised[0], KeyboardInterrupt):
        library.result_close(out)
    if raised and not (kept and isinstance(raised[0], KeyboardInterrupt)):
        raise raised[0]
    check(code, error)
    assert out.value is not None
    return out.value


@functools.cache
def options(command: str) -> frozenset[str]:
    """The keys of a command's request."""
    return frozenset(option["name"] for row in describe("commands") if row["id"] == command for option in row["options"])


@functools.cache
def options_of(kind: str, identifier: str) -> frozenset[str]:
    """The arguments of a method, a step function, ..."""
    return frozenset(option["name"] for row in describe(kind) if row["id"] == identifier for option in row["options"])


def describe(kind: str) -> list[dict[str, Any]]:
    """The rows of a kind: "methods", "scores", "aggregators", ..."""
    rows: list[dict[str, Any]] = json.loads(take(library.describe(kind.encode())))
    return rows
