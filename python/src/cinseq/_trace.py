"""Slopes of what a custom step function computes: arrays that note how they came about (reverse-mode differentiation).

An array that depends on the logits is a Traced. Its operations are those of Array in three kinds: numbers that are only moved,
functions of numpy number by number, and the few below. What is left is an error that says how to give a slope oneself.
"""
from __future__ import annotations

from typing import Any, Callable

import numpy as np
import numpy.typing as npt

from .arrays import Array

Plain = npt.NDArray[Any]
Slope = Callable[[Plain], Plain]  # from d result / d this to d result / d the parent

HOW = "give the step function an attribute `backward`, a function of the same arguments that returns d value / d logits"

# d f / d each input, of the result y and the inputs.
_UFUNCS: dict[str, Callable[..., tuple[Any, ...]]] = {
    "add": lambda y, a, b: (1, 1),
    "subtract": lambda y, a, b: (1, -1),
    "multiply": lambda y, a, b: (b, a),
    "divide": lambda y, a, b: (1 / b, -y / b),
    "power": lambda y, a, b: (b * a ** (b - 1), y * np.log(np.where(a > 0, a, 1))),
    "maximum": lambda y, a, b: (a >= b, a < b),
    "minimum": lambda y, a, b: (a <= b, a > b),
    "negative": lambda y, a: (-1,),
    "positive": lambda y, a: (1,),
    "absolute": lambda y, a: (np.sign(a),),
    "square": lambda y, a: (2 * a,),
    "sqrt": lambda y, a: (0.5 / y,),
    "reciprocal": lambda y, a: (-y * y,),
    "exp": lambda y, a: (y,),
    "exp2": lambda y, a: (y * np.log(2),),
    "expm1": lambda y, a: (y + 1,),
    "log": lambda y, a: (1 / a,),
    "log2": lambda y, a: (1 / (a * np.log(2)),),
    "log10": lambda y, a: (1 / (a * np.log(10)),),
    "log1p": lambda y, a: (1 / (1 + a),),
    "tanh": lambda y, a: (1 - y * y,),
}
# numpy's functions that are methods of an Array too
_METHODS = {"sum", "mean", "prod", "max", "min", "amax", "amin", "squeeze", "reshape", "transpose", "cumsum", "std", "clip"}


def _folded(slope: Plain, shape: tuple[int, ...]) -> Plain:
    """The sum over what was broadcast."""
    extra = slope.ndim - len(shape)
    slope = slope.sum(axis=tuple(range(extra))) if extra > 0 else slope
    along = tuple(d for d, n in enumerate(shape) if n == 1 and slope.shape[d] != 1)
    return slope.sum(axis=along, keepdims=True) if along else slope


class Traced(Array):
    """An array that depends on the logits. parents: the arrays that it was made of, and how slopes go back to each."""

    parents: list[tuple[Traced, Slope]]

    def __array_finalize__(self, other: Any) -> None:
        self.parents = []

    @classmethod
    def made(cls, values: Any, *parents: tuple[Traced, Slope]) -> Traced:
        made = np.array(values).view(cls)
        made.parents = list(parents)
        return made

    def plain(self) -> Plain:
        return np.asarray(np.ndarray.view(self, np.ndarray))

    def _moved(self, move: Callable[[Plain], Any]) -> Any:
        own, shape = self.plain(), self.shape
        places = np.asarray(move(np.arange(own.size).reshape(shape)))

        def back(slope: Plain) -> Plain:
            return np.bincount(places.ravel(), weights=slope.ravel(), minlength=own.size).reshape(shape)
        return Traced.made(own.reshape(-1)[places], (self, back))

    def __getitem__(self, item: Any) -> Any:
        place = tuple(_plain(i) for i in item) if isinstance(item, tuple) else _plain(item)
        return self._moved(lambda a: a[place])

    def __setitem__(self, item: Any, value: Any) -> None:
        raise TypeError("logits of an attributed function cannot be assigned to: use masked_fill or numpy.where")

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        given = [_plain(one) for one in inputs]
        kwargs.pop("out", None)  # x += y binds x anew
        made = getattr(ufunc, method)(*given, **kwargs)
        if method != "__call__" or ufunc.__name__ not in _UFUNCS:
            return _constant(made, f"numpy.{ufunc.__name__}{'' if method == '__call__' else '.' + method}")
        with np.errstate(all="ignore"):  # of the inputs that nobody asks about
            slopes = _UFUNCS[ufunc.__name__](made, *given)
        parents = [(one, _times(local, one.shape)) for one, local in zip(inputs, slopes) if isinstance(one, Traced)]
        return Traced.made(made, *parents)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        name = function.__name__
        if name in _METHODS and args and isinstance(args[0], Traced):
            return getattr(args[0], {"amax": "max", "amin": "min", "clip": "clamp"}.get(name, name))(*args[1:], **kwargs)
        if name == "where" and len(args) == 3:
            keep, a, b = (one if isinstance(one, Traced) else np.asarray(one) for one in args)
            keep = np.asarray(_plain(keep), dtype=bool)
            return np.add(*(Traced.made(np.where(chosen, _plain(one), 0), (one, _times(chosen, one.shape)))
                            if isinstance(one, Traced) else np.where(chosen, one, 0) for one, chosen in ((a, keep), (b, ~keep))))
        return _constant(function(*_deep(args), **_deep(kwargs)), f"numpy.{name}")

    def masked_fill(self, mask: Any, value: Any) -> Any:
        keep = ~np.asarray(_plain(mask), dtype=bool)
        return Traced.made(np.where(keep, self.plain(), value), (self, _times(keep, self.shape)))

    def _typed(self, dtype: Any) -> Any:
        made = self.plain().astype(dtype)
        return Traced.made(made, (self, lambda slope: slope)) if made.dtype.kind == "f" else Array(made)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        return self._typed(dtype)

    def detach(self) -> Array:
        return Array(self.plain())

    def clone(self) -> Any:
        return self._moved(lambda a: a)

    contiguous = clone

    def copy(self, order: Any = "C") -> Any:
        return self.clone()

    def argsort(self, *args: Any, **kwargs: Any) -> Any:
        return self.detach().argsort(*args, **kwargs)

    def nan_to_num(self, nan: Any = 0.0) -> Any:
        own = self.plain()
        return Traced.made(np.nan_to_num(own, nan=nan), (self, _times(np.isfinite(own), self.shape)))

    def _reduced(self, name: str, axis: Any, keepdims: Any, dim: Any, keepdim: Any, **kwargs: Any) -> Any:
        along = axis if dim is None else dim
        along = tuple(along) if isinstance(along, list) else along
        keep, own = bool(keepdims or keepdim), self.plain()
        if name in ("argmax", "argmin", "any", "all"):
            return Array(getattr(own, name)(axis=along, keepdims=keep))
        if name in ("max", "min"):
            flat = self.reshape(-1) if along is None else self
            values = flat._extreme(name, None, False, 0 if along is None else along, keep).values
            return values.reshape((1,) * self.ndim) if along is None and keep else values
        if name == "std":
            count = self.size // max(own.sum(axis=along).size, 1) - kwargs.get("ddof", 0)
            apart = self - self.mean(axis=along, keepdims=True)
            return np.sqrt((apart * apart).sum(axis=along, keepdims=keep) / count)
        made = getattr(own, name)(axis=along, keepdims=True)
        share = made / own if name == "prod" else made.size / max(own.size, 1) if name == "mean" else 1
        result = Traced.made(made, (self, lambda slope: np.broadcast_to(slope, own.shape) * share))
        return result if keep else result._moved(lambda a: a.squeeze(along))

    def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None, *, dim: Any = None) -> Any:
        along = axis if dim is None else dim
        return Traced.made(self.plain().cumsum(along), (self, lambda slope: np.flip(np.flip(slope, along).cumsum(along), along)))

    def log_softmax(self, dim: Any = -1) -> Any:
        made = np.asarray(self.detach().log_softmax(dim))
        return Traced.made(made, (self, lambda slope: slope - np.exp(made) * slope.sum(axis=dim, keepdims=True)))

    def slope(self, leaf: Traced) -> Plain | None:
        """d this / d leaf, of one number; None: it does not depend on it."""
        slopes: dict[int, Plain] = {id(self): np.ones(self.shape)}
        for node in _ordered(self):
            own = slopes.pop(id(node), None)
            if node is leaf:
                return own
            for parent, back in node.parents:
                slopes[id(parent)] = slopes.get(id(parent), 0) + back(own if own is not None else np.zeros(node.shape))
        return None


def _plain(value: Any) -> Any:
    return value.plain() if isinstance(value, Traced) else value


def _deep(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_deep(one) for one in value)
    return {name: _deep(one) for name, one in value.items()} if isinstance(value, dict) else _plain(value)


def _constant(made: Any, name: str) -> Any:
    """Indices and truths have no slope; numbers would have one."""
    numbers = np.asarray(made)
    if numbers.size and numbers.dtype.kind in "fc":
        raise TypeError(f"cinseq has no derivative of {name}: {HOW}")
    return Array(made) if isinstance(made, np.ndarray) else made


def _times(local: Any, shape: tuple[int, ...]) -> Slope:
    return lambda slope: _folded(np.asarray(slope * local), shape)


def _ordered(last: Traced) -> list[Traced]:
    """Every array after all that were made of it; the logits, of which everything was, at the end."""
    done: dict[int, Traced] = {}
    stack: list[tuple[Traced, bool]] = [(last, False)]
    while stack:
        node, seen = stack.pop()
        if seen:
            done[id(node)] = node
        elif id(node) not in done:
            stack.append((node, True))
            stack += [(parent, False) for parent, _ in node.parents if id(parent) not in done]
    return list(done.values())[::-1]
