"""Exceptions: Inseq's classes where it has them; the texts are those of the command line."""
from __future__ import annotations


class CinseqError(Exception):
    """What the engine refuses. where: the file, tensor or argument that is meant."""

    def __init__(self, message: str, where: str = ""):
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class InvalidArgumentError(CinseqError, ValueError):
    """An argument, an option or a text is wrong."""


class ModelFileError(CinseqError, OSError):
    """A file cannot be read or written, or is damaged."""

    def __init__(self, message: str, where: str = ""):
        CinseqError.__init__(self, message, where)
        self.filename = where or None

    __str__ = Exception.__str__


class UnsupportedModelError(CinseqError, RuntimeError):
    """A model that cannot be run."""


class OutOfMemoryError(CinseqError, MemoryError):
    """Memory is out, or the budget of the request too small."""


class MissingAttributionMethodError(CinseqError):
    """attribute() was called without a method, and the model has none."""

    def __init__(self, message: str = "no attribution method: give one to load_model, or as method="):
        super().__init__(message)


class UnknownAttributionMethodError(InvalidArgumentError):
    """There is no such method."""


class LengthMismatchError(InvalidArgumentError):
    """input_texts and generated_texts are not as many."""


class MissingAlignmentsError(CinseqError):
    """Inseq's: two texts are compared, and nobody has said which positions belong together. Here they are found."""


class InseqDeprecationWarning(UserWarning):
    """Inseq's, for programs that filter it: what is old here warns with it."""


_CLASSES = {1: InvalidArgumentError, 2: ModelFileError, 3: UnsupportedModelError, 4: OutOfMemoryError}
_BY_ARGUMENT = {"attribution_method": UnknownAttributionMethodError}


def error_of(code: int, where: str, message: str) -> BaseException:
    """The exception for what a function of the library has returned."""
    if code == 5:
        return KeyboardInterrupt()
    return _BY_ARGUMENT.get(where, _CLASSES.get(code, CinseqError))(message, where)
