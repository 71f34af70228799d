"""Numbers of a result: numpy arrays that also answer what notebooks ask of torch tensors.

Where numpy and torch have the same name for two things, arguments tell: dim and keepdim are torch's words (max(dim=0) gives values
and indices), axis and keepdims numpy's, and a bare number is numpy's.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

import numpy as np
import numpy.typing as npt

Axes = Any  # an int, a sequence of them, or None


class _Size(int):
    shape: tuple[int, ...]

    @classmethod
    def of(cls, shape: tuple[int, ...]) -> _Size:
        size = cls(math.prod(shape))
        size.shape = shape
        return size

    def __call__(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]


class Extremes(NamedTuple):
    """What torch's max, min, sort and topk of a dimension give."""

    values: Any
    indices: Any


def _listed(given: tuple[Any, ...]) -> Any:
    """f(0, 1) and f((0, 1)) are the same."""
    return tuple(given[0]) if len(given) == 1 and isinstance(given[0], Sequence) else given


class Array(np.ndarray[Any, np.dtype[Any]]):
    """A numpy.ndarray with the methods of a tensor that scores are read with."""

    def __new__(cls, values: npt.ArrayLike, dtype: Any = None) -> Array:  # noqa: PYI034
        return np.asarray(values, dtype=dtype).view(cls)

    # ---- where it is, and what of ----

    device = "cpu"
    requires_grad = False

    def cpu(self) -> Array:
        return self

    def detach(self) -> Array:
        return self

    def contiguous(self) -> Array:
        return np.ascontiguousarray(self).view(Array)

    def to(self, *args: Any, **kwargs: Any) -> Array:
        """The same numbers: there is one device. A numpy type among the arguments converts."""
        for value in (*args, *kwargs.values()):
            if isinstance(value, (type, np.dtype)):
                return self._typed(value)
        return self

    def _typed(self, dtype: Any) -> Array:
        return self.astype(dtype).view(Array)

    def numpy(self) -> npt.NDArray[Any]:
        return np.asarray(np.ndarray.view(self, np.ndarray))

    def clone(self) -> Array:
        return Array(np.array(self))

    def float(self) -> Array:
        return self._typed(np.float32)

    def double(self) -> Array:
        return self._typed(np.float64)

    def half(self) -> Array:
        return self._typed(np.float16)

    def long(self) -> Array:
        return self._typed(np.int64)

    def int(self) -> Array:
        return self._typed(np.int32)

    def bool(self) -> Array:
        return self._typed(np.bool_)

    # ---- its shape ----

    @property
    def size(self) -> _Size:
        """The number of elements, as numpy has it; called, the shape, as torch has it."""
        return _Size.of(self.shape)

    def dim(self) -> Any:
        return self.ndim

    def numel(self) -> Any:
        return math.prod(self.shape)

    # ---- the same numbers in other places ----

    def _moved(self, move: Callable[[npt.NDArray[Any]], Any]) -> Any:
        """What numpy's function gives: every element of it is an element of this array."""
        return Array(move(self.view(np.ndarray)))

    def permute(self, *dims: Any) -> Any:
        return self._moved(lambda a: a.transpose(_listed(dims)))

    def transpose(self, *axes: Any) -> Any:
        """Two numbers are torch's: the dimensions to swap. Otherwise numpy's order of all."""
        order = _listed(axes)
        if len(order) == 2 and self.ndim >= 2:
            return self._moved(lambda a: a.swapaxes(*order))
        return self._moved(lambda a: a.transpose(*axes))

    def t(self) -> Any:
        return self.transpose()

    def unsqueeze(self, dim: Any) -> Any:
        return self._moved(lambda a: np.expand_dims(a, dim if dim >= 0 else dim + a.ndim + 1))

    def squeeze(self, axis: Axes = None, *, dim: Axes = None) -> Any:
        """torch's: a dimension that is not 1 stays."""
        along = axis if dim is None else dim
        if isinstance(along, int) and self.shape[along] != 1:
            return self._moved(lambda a: a)
        return self._moved(lambda a: a.squeeze(along))

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        return self._moved(lambda a: a.reshape(*shape, **kwargs))

    def view(self, *shape: Any, **kwargs: Any) -> Any:
        """Integers are torch's: another shape. Otherwise numpy's."""
        if shape and all(isinstance(n, (int, np.integer)) for n in _listed(shape)):
            return self.reshape(_listed(shape))
        return super().view(*shape, **kwargs)

    def flatten(self, *given: Any, start_dim: Any = 0, end_dim: Any = -1, **kwargs: Any) -> Any:
        if given and isinstance(given[0], str) or kwargs:
            return super().flatten(*given, **kwargs)
        first, last = (list(given) + [start_dim, end_dim][len(given):])[:2]
        shape, last = self.shape, last % max(self.ndim, 1)
        return self.reshape(shape[:first] + (-1,) + shape[last + 1:])

    def expand(self, *shape: Any) -> Any:
        wanted = _listed(shape)
        own = (1,) * (len(wanted) - self.ndim) + self.shape
        return self._moved(lambda a: np.broadcast_to(a, tuple(o if w == -1 else w for w, o in zip(wanted, own))))

    def gather(self, dim: Any, index: Any) -> Any:
        """torch's: of every dimension but dim the first len(index)."""
        places = np.asarray(index)
        cut = tuple(slice(None) if d == dim % self.ndim else slice(n) for d, n in enumerate(places.shape))
        return self._moved(lambda a: np.take_along_axis(a[cut], places, dim))

    def index_select(self, dim: Any, index: Any) -> Any:
        return self._moved(lambda a: np.take(a, np.asarray(index), axis=dim))

    def masked_select(self, mask: Any) -> Any:
        return self._moved(lambda a: np.asarray(a)[np.broadcast_to(np.asarray(mask, dtype=bool), a.shape)])

    def unbind(self, dim: Any = 0) -> tuple[Any, ...]:
        return tuple(self.index_select(dim, [i]).squeeze(dim) for i in range(self.shape[dim]))

    # ---- number by number ----

    def abs(self) -> Any:
        return np.abs(self)

    def exp(self) -> Any:
        return np.exp(self)

    def log(self) -> Any:
        return np.log(self)

    def log2(self) -> Any:
        return np.log2(self)

    def sqrt(self) -> Any:
        return np.sqrt(self)

    def pow(self, exponent: Any) -> Any:
        return np.power(self, exponent)

    def neg(self) -> Any:
        return np.negative(self)

    def isnan(self) -> Any:
        return np.isnan(self)

    def nan_to_num(self, nan: Any = 0.0) -> Any:
        """torch's: infinities become the largest numbers there are."""
        return np.nan_to_num(self, nan=nan)

    def clamp(self, min: Any = None, max: Any = None) -> Any:
        made = self if min is None else np.maximum(self, min)
        return made if max is None else np.minimum(made, max)

    def masked_fill(self, mask: Any, value: Any) -> Any:
        return Array(np.where(np.asarray(mask, dtype=bool), value, self).astype(self.dtype))

    def eq(self, other: Any) -> Any:
        return np.equal(self, other)

    def ne(self, other: Any) -> Any:
        return np.not_equal(self, other)

    def gt(self, other: Any) -> Any:
        return np.greater(self, other)

    def lt(self, other: Any) -> Any:
        return np.less(self, other)

    # ---- along dimensions ----

    def _reduced(self, name: str, axis: Axes, keepdims: Any, dim: Axes, keepdim: Any, **kwargs: Any) -> Any:
        along = axis if dim is None else dim
        along = tuple(along) if isinstance(along, list) else along
        return getattr(super(), name)(axis=along, keepdims=keepdims or keepdim, **kwargs)

    def sum(self, axis: Axes = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
            *, dim: Axes = None, keepdim: Any = False, **kwargs: Any) -> Any:
        return self._reduced("sum", axis, keepdims, dim, keepdim, dtype=dtype, out=out, **kwargs)

    def mean(self, axis: Axes = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
             *, dim: Axes = None, keepdim: Any = False, **kwargs: Any) -> Any:
        return self._reduced("mean", axis, keepdims, dim, keepdim, dtype=dtype, out=out, **kwargs)

    def prod(self, axis: Axes = None, dtype: Any = None, out: Any = None, keepdims: Any = False,
             *, dim: Axes = None, keepdim: Any = False, **kwargs: Any) -> Any:
        return self._reduced("prod", axis, keepdims, dim, keepdim, dtype=dtype, out=out, **kwargs)

    def std(self, axis: Axes = None, dtype: Any = None, out: Any = None, ddof: Any = None, keepdims: Any = False,
            *, dim: Axes = None, keepdim: Any = False, unbiased: Any = None, **kwargs: Any) -> Any:
        """numpy's divides by n; with dim or unbiased by n - 1, as torch's."""
        torch = dim is not None or unbiased is not None
        less = ddof if ddof is not None else int(torch and unbiased is not False)
        return self._reduced("std", axis, keepdims, dim, keepdim, dtype=dtype, out=out, ddof=less, **kwargs)

    def any(self, axis: Axes = None, out: Any = None, keepdims: Any = False,
            *, dim: Axes = None, keepdim: Any = False, **kwargs: Any) -> Any:
        return self._reduced("any", axis, keepdims, dim, keepdim, out=out, **kwargs)

    def all(self, axis: Axes = None, out: Any = None, keepdims: Any = False,
            *, dim: Axes = None, keepdim: Any = False, **kwargs: Any) -> Any:
        return self._reduced("all", axis, keepdims, dim, keepdim, out=out, **kwargs)

    def _extreme(self, name: str, axis: Axes, keepdims: Any, dim: Axes, keepdim: Any, **kwargs: Any) -> Any:
        if dim is None:
            return self._reduced(name, axis, keepdims, None, False, **kwargs)
        places = np.expand_dims(getattr(self.view(np.ndarray), "arg" + name)(axis=dim), dim)
        values = self.gather(dim, places)
        return Extremes(values, Array(places)) if keepdim else Extremes(values.squeeze(dim), Array(places).squeeze(dim))

    def max(self, axis: Axes = None, out: Any = None, keepdims: Any = False,
            *, dim: Axes = None, keepdim: Any = False, **kwargs: Any) -> Any:
        return self._extreme("max", axis, keepdims, dim, keepdim, out=out, **kwargs)

    def min(self, axis: Axes = None, out: Any = None, keepdims: Any = False,
            *, dim: Axes = None, keepdim: Any = False, **kwargs: Any) -> Any:
        return self._extreme("min", axis, keepdims, dim, keepdim, out=out, **kwargs)

    def argmax(self, axis: Axes = None, out: Any = None, *, keepdims: Any = False,
               dim: Axes = None, keepdim: Any = False) -> Any:
        return self._reduced("argmax", axis, keepdims, dim, keepdim, out=out)

    def argmin(self, axis: Axes = None, out: Any = None, *, keepdims: Any = False,
               dim: Axes = None, keepdim: Any = False) -> Any:
        return self._reduced("argmin", axis, keepdims, dim, keepdim, out=out)

    def cumsum(self, axis: Axes = None, dtype: Any = None, out: Any = None, *, dim: Axes = None) -> Any:
        return super().cumsum(axis=axis if dim is None else dim, dtype=dtype, out=out)

    def norm(self, p: Any = 2, dim: Axes = None, keepdim: Any = False) -> Any:
        """(sum |x|^p)^(1/p) along dim, or of all."""
        return (abs(self) ** p).sum(dim=dim, keepdim=keepdim) ** (1 / p)

    def argsort(self, axis: Any = -1, kind: Any = None, order: Any = None, *, dim: Any = None, descending: Any = False, **kwargs: Any) -> Any:
        plain = self.view(np.ndarray)
        places = np.argsort(-plain if descending else plain, axis=axis if dim is None else dim, kind="stable" if descending else kind, **kwargs)
        return Array(places)

    def sort(self, axis: Any = -1, kind: Any = None, order: Any = None, *, dim: Any = None, descending: Any = None, **kwargs: Any) -> Any:
        """With dim or descending torch's, which gives values and indices; otherwise numpy's, in place."""
        if dim is None and descending is None:
            return super().sort(axis=axis, kind=kind, order=order, **kwargs)
        along = axis if dim is None else dim
        places = self.argsort(dim=along, descending=bool(descending))
        return Extremes(self.gather(along, places), places)

    def topk(self, k: Any, dim: Any = -1, largest: Any = True) -> Extremes:
        places = np.take(self.argsort(dim=dim, descending=largest), range(k), axis=dim)
        return Extremes(self.gather(dim, places), Array(places))

    def log_softmax(self, dim: Any = -1) -> Any:
        """In double precision inside."""
        wide = np.asarray(self, dtype=np.float64)
        wide = wide - wide.max(axis=dim, keepdims=True)
        made = wide - np.log(np.exp(wide).sum(axis=dim, keepdims=True))
        return Array(made.astype(self.dtype))

    def softmax(self, dim: Any = -1) -> Any:
        return np.exp(self.log_softmax(dim))
