"""The modules of a model by transformers' names: model.model.transformer.h[3].mlp, which target_layer takes."""
from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from .._library import library, take

# What transformers' classes have themselves: no model of one's own is called so.
_ENCODERS, _DECODERS = ("encoder",), ("decoder", "transformer", "gpt_neox", "biogpt", "model")
_EMBEDDINGS = ("shared", "embed_tokens", "wte", "word_embeddings", "embed_in", "tokens_embed", "embedding")


class Tree:
    """The modules of an open model: paths by their parent's path, from the library's list."""

    def __init__(self, address: int):
        paths: list[str] = json.loads(take(library.model_modules(address)))
        self.children: dict[str, dict[str, str]] = {"": {}}
        for path in paths:
            parent, _, name = path.rpartition(".")
            self.children.setdefault(parent, {})[name] = path
            self.children.setdefault(path, {})

    def sorted(self, path: str) -> list[str]:
        """Names of the modules in a module: numbers in their order."""
        return sorted(self.children[path], key=lambda name: (0, int(name), "") if name.isdecimal() else (1, 0, name))


class NamedModule:
    """A module by its path. It holds no weights: it is what target_layer is given."""

    def __init__(self, tree: Tree, path: str):
        self._tree, self._path = tree, path

    def _cinseq_path(self) -> str:
        """What requests of the library call it."""
        return self._path

    def _child(self, name: str) -> NamedModule:
        return NamedModule(self._tree, self._tree.children[self._path][name])

    def __getattr__(self, name: str) -> NamedModule:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._tree.children[self._path]:
            return self._child(name)
        import difflib  # here, since importing cinseq is to be quick

        there = self._tree.sorted(self._path)
        near = difflib.get_close_matches(name, there, 3, 0.5) or there
        raise AttributeError(f"{self._path or 'the model'} has no module {name!r}: it has {', '.join(near[:12]) or 'none'}")

    def __getitem__(self, index: int | str | slice) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if isinstance(index, str):
            return self.__getattr__(index)
        number = index + len(self) if index < 0 else index
        if str(number) not in self._tree.children[self._path]:
            raise IndexError(f"{self._path}[{index}]: there are {len(self)}")
        return self._child(str(number))

    def __len__(self) -> int:
        return len(self._tree.children[self._path])

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[NamedModule]:
        return iter(self.children())

    def children(self) -> list[NamedModule]:
        return [self._child(name) for name in self._tree.sorted(self._path)]

    def named_children(self) -> list[tuple[str, NamedModule]]:
        return [(name, self._child(name)) for name in self._tree.sorted(self._path)]

    def named_modules(self) -> Iterator[tuple[str, NamedModule]]:
        """(path, module) of this module and those in it, as PyTorch gives them."""
        yield self._path, self
        for child in self.children():
            yield from child.named_modules()

    def modules(self) -> Iterator[NamedModule]:
        return (module for _, module in self.named_modules())

    def get_submodule(self, target: str) -> NamedModule:
        found = self
        for name in target.split(".") if target else ():
            found = found.__getattr__(name)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NamedModule) and (self._tree, self._path) == (other._tree, other._path)

    def __hash__(self) -> int:
        return hash((id(self._tree), self._path))

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *(name for name in self._tree.children[self._path] if name.isidentifier())]

    def __str__(self) -> str:
        return self._path

    def __repr__(self) -> str:
        inside = ", ".join(self._tree.sorted(self._path)[:8])
        return f"<module {self._path or 'model'}{': ' + inside if inside else ''}>"


def _first(module: NamedModule, names: tuple[str, ...]) -> NamedModule | None:
    """The first module of one of these names, the outermost: model.encoder before what lies in it."""
    level = [module]
    while level:
        for one in level:
            for name in names:
                if name in one._tree.children[one._path]:
                    return one._child(name)
        level = [child for one in level for child in one.children()]
    return None


def side_of(root: NamedModule, encoder: bool, both: bool) -> NamedModule | None:
    """transformers' get_encoder() and get_decoder(). both: an encoder-decoder."""
    return _first(root, _ENCODERS if encoder else _DECODERS[:1] if both else _DECODERS[1:])


def embedding_of(root: NamedModule) -> NamedModule | None:
    """transformers' get_input_embeddings()."""
    return _first(root, _EMBEDDINGS)


class Config(dict[str, Any]):
    """config.json, whose values are members too, as those of transformers' configurations."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"config.json has no {name!r}") from None

    def to_dict(self) -> dict[str, Any]:
        return dict(self)


class RootModule(NamedModule):
    """What model.model is, besides a forward."""

    def __init__(self, owner: Any):
        self._owner = owner
        super().__init__(owner._handle.tree, "")

    @property
    def config(self) -> Config:
        return Config(self._owner._handle.files.get("config.json", {}))

    @property
    def generation_config(self) -> Config:
        return Config(self._owner._handle.files.get("generation_config.json", {}))

    @property
    def name_or_path(self) -> str:
        name: str = self._owner.model_name
        return name

    def _needed(self, found: NamedModule | None, what: str) -> NamedModule:
        if found is None:
            raise AttributeError(f"a {self._owner._facts['class']} has no {what}")
        return found

    def get_encoder(self) -> NamedModule:
        both = self._owner.is_encoder_decoder
        return self._needed(side_of(self, True, both) if both else None, "encoder")

    def get_decoder(self) -> NamedModule:
        return self._needed(side_of(self, False, self._owner.is_encoder_decoder), "decoder")

    def get_input_embeddings(self) -> NamedModule:
        return self._needed(embedding_of(self), "embedding")

    def generate(self, inputs: Any = None, attention_mask: Any = None, input_ids: Any = None, **kwargs: Any) -> Any:
        """Ids [texts, tokens] that go on with these, as transformers' generate gives them."""
        from ..data.batch import BatchEncoding

        given = inputs if input_ids is None else input_ids
        batch = given if hasattr(given, "input_ids") else BatchEncoding(given, attention_mask)
        return self._owner.generate(batch, return_generation_output=True, **kwargs)[1].sequences

    def eval(self) -> RootModule:
        return self

    def to(self, *device: Any, **kwargs: Any) -> RootModule:
        return self
