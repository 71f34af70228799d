"""Numbers of a result: numpy arrays that also answer what notebooks ask of torch tensors."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

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
    """What torch's max and min of a dimension give."""

    values: Any
    indices: Any


class Array(np.ndarray[Any, np.dtype[Any]]):
    """A numpy.ndarray with the methods of a tensor that scores are read with. dim and keepdim may be said for axis and keepdims."""

    def __new__(cls, values: npt.ArrayLike, dtype: Any = None) -> Array:  # noqa: PYI034
        return np.asarray(values, dtype=dtype).view(cls)

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
                return Array(self, value)
        return self

    def numpy(self) -> npt.NDArray[Any]:
        return self.view(np.ndarray)

    def clone(self) -> Array:
        return self.copy().view(Array)

    def float(self) -> Array:
        return self.astype(np.float32).view(Array)

    @property
    def size(self) -> _Size:
        """The number of elements, as numpy has it; called, the shape, as torch has it."""
        return _Size.of(self.shape)

    def dim(self) -> int:
        return self.ndim

    def numel(self) -> int:
        return math.prod(self.shape)

    def permute(self, *dims: Any) -> Array:
        order = dims[0] if len(dims) == 1 and isinstance(dims[0], Sequence) else dims
        return Array(self.transpose(order))

    def unsqueeze(self, dim: int) -> Array:
        return np.expand_dims(self, dim).view(Array)

    def abs(self) -> Array:
        return np.abs(self).view(Array)

    def isnan(self) -> Any:
        return np.isnan(self)

    def _reduced(self, name: str, axis: Axes, keepdims: bool, dim: Axes, keepdim: bool, **kwargs: Any) -> Any:
        along = axis if dim is None else dim
        along = tuple(along) if isinstance(along, list) else along
        return getattr(super(), name)(axis=along, keepdims=keepdims or keepdim, **kwargs)

    def sum(self, axis: Axes = None, dtype: Any = None, out: Any = None, keepdims: bool = False,  # type: ignore[override]
            *, dim: Axes = None, keepdim: bool = False, **kwargs: Any) -> Any:
        return self._reduced("sum", axis, keepdims, dim, keepdim, dtype=dtype, out=out, **kwargs)

    def mean(self, axis: Axes = None, dtype: Any = None, out: Any = None, keepdims: bool = False,  # type: ignore[override]
             *, dim: Axes = None, keepdim: bool = False, **kwargs: Any) -> Any:
        return self._reduced("mean", axis, keepdims, dim, keepdim, dtype=dtype, out=out, **kwargs)

    def max(self, axis: Axes = None, out: Any = None, keepdims: bool = False,  # type: ignore[override]
            *, dim: Axes = None, keepdim: bool = False, **kwargs: Any) -> Any:
        values = self._reduced("max", axis, keepdims, dim, keepdim, out=out, **kwargs)
        return values if dim is None else Extremes(values, self._reduced("argmax", None, keepdims, dim, keepdim))

    def min(self, axis: Axes = None, out: Any = None, keepdims: bool = False,  # type: ignore[override]
            *, dim: Axes = None, keepdim: bool = False, **kwargs: Any) -> Any:
        values = self._reduced("min", axis, keepdims, dim, keepdim, out=out, **kwargs)
        return values if dim is None else Extremes(values, self._reduced("argmin", None, keepdims, dim, keepdim))

    def argmax(self, axis: Axes = None, out: Any = None, *, keepdims: bool = False,
               dim: Axes = None, keepdim: bool = False) -> Any:
        return self._reduced("argmax", axis, keepdims, dim, keepdim, out=out)

    def argmin(self, axis: Axes = None, out: Any = None, *, keepdims: bool = False,
               dim: Axes = None, keepdim: bool = False) -> Any:
        return self._reduced("argmin", axis, keepdims, dim, keepdim, out=out)
