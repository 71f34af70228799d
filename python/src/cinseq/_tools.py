"""What chat templates are given beside messages, as transformers makes it: functions as tools, the last message left open."""
from __future__ import annotations

import copy
import inspect
import json
import re
import types
import typing
from collections.abc import Callable
from typing import Any, Literal, Union

_TYPES: dict[Any, dict[str, Any]] = {int: {"type": "integer"}, float: {"type": "number"}, str: {"type": "string"}, bool: {"type": "boolean"},
                                     type(None): {"type": "null"}, Any: {}}
_UNIONS = (Union, getattr(types, "UnionType", Union))  # X | Y is of Python 3.10
_SECTION = r"[\n\s]*(?:{}|\Z)"
_ARGUMENT = re.compile(r"(?:^|\n)\s*(\w+):\s*(.*?)\s*(?=\n\s*\w+:|\Z)", re.DOTALL)
_CHOICES = re.compile(r"\(choices:\s*(.*?)\)\s*$", re.IGNORECASE)
_TAG = "CONTINUE_FINAL_MESSAGE_TAG "


def _of_union(hints: tuple[Any, ...]) -> dict[str, Any]:
    kinds = [_of_hint(hint) for hint in hints if hint is not type(None)]
    if len(kinds) == 1:
        made = kinds[0]
    elif all(isinstance(kind.get("type"), str) for kind in kinds):
        made = {"type": sorted(kind["type"] for kind in kinds)}
    else:
        made = {"anyOf": kinds}
    return made | ({"nullable": True} if type(None) in hints else {})


def _of_literal(values: tuple[Any, ...]) -> dict[str, Any]:
    if any(type(value) not in _TYPES for value in values):
        raise TypeError("a Literal may list numbers, texts, truths and None")
    kinds = list(dict.fromkeys(_TYPES[type(value)]["type"] for value in values))
    return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": list(values)}


def _of_hint(hint: Any) -> dict[str, Any]:
    """JSON schema of a type hint."""
    origin, inside = typing.get_origin(hint), typing.get_args(hint)
    if origin is None:
        return dict(_TYPES.get(hint, {"type": "object"}))
    if origin in _UNIONS:
        return _of_union(inside)
    if origin is Literal:
        return _of_literal(inside)
    if origin is list or (origin is tuple and not inside):
        return {"type": "array"} | ({"items": _of_hint(inside[0])} if inside else {})
    if origin is tuple and len(inside) > 1 and ... not in inside:
        return {"type": "array", "prefixItems": [_of_hint(one) for one in inside]}
    if origin is dict:
        return {"type": "object"} | ({"additionalProperties": _of_hint(inside[1])} if len(inside) == 2 else {})
    raise TypeError(f"the type hint {hint} has no JSON schema" + (": a list has" if origin is tuple else ""))


def _section(doc: str, name: str, *following: str) -> str | None:
    found = re.search(rf"\n\s*{name}:\n\s*(.*?){_SECTION.format('|'.join(f'{one}:' for one in following))}", doc, re.DOTALL)
    return found.group(1).strip() if found else None


def _described(doc: str) -> tuple[str, dict[str, str], str | None]:
    """Of a docstring: what the function does, what each argument is, what comes back."""
    first = re.match(rf"^(.*?){_SECTION.format('Args:|Returns:|Raises:')}", doc, re.DOTALL)
    lines = "\n".join(line for line in (_section(doc, "Args", "Returns", "Raises") or "").split("\n") if line.strip())
    arguments = {name: re.sub(r"\s*\n+\s*", " ", said.strip()) for name, said in _ARGUMENT.findall(lines)}
    return first.group(1).strip() if first else "", arguments, _section(doc, "Returns", "Raises")


def schema_of(function: Callable[..., Any]) -> dict[str, Any]:
    """A function as a tool: of its name, its type hints and its docstring in Google's style. TypeError: a hint that is missing or has no JSON
    schema. ValueError: no docstring, or none of an argument."""
    name, doc = function.__name__, (inspect.getdoc(function) or "").strip()
    if not doc:
        raise ValueError(f"tools: {name} has no docstring")
    does, arguments, returns = _described(doc)
    parameters = inspect.signature(function).parameters.values()
    for parameter in parameters:
        if parameter.annotation is parameter.empty:
            raise TypeError(f"tools: {name}: its argument {parameter.name} has no type hint")
        if parameter.name not in arguments:
            raise ValueError(f"tools: {name}: its docstring says nothing of the argument {parameter.name}")
    try:
        properties = {one: _of_hint(hint) for one, hint in typing.get_type_hints(function).items()}
    except TypeError as problem:
        raise TypeError(f"tools: {name}: {problem}") from None
    back = properties.pop("return", None)
    for one, schema in properties.items():
        said = arguments[one]
        if choices := _CHOICES.search(said):
            schema["enum"], said = [choice.strip() for choice in json.loads(choices.group(1))], said[:choices.start()].strip()
        schema["description"] = said
    required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    made: dict[str, Any] = {"name": name, "description": does,
                            "parameters": {"type": "object", "properties": properties} | ({"required": required} if required else {})}
    if back is not None:
        made["return"] = back | ({"description": returns} if returns is not None else {})
    return {"type": "function", "function": made}


def schemas_of(tools: Any) -> list[dict[str, Any]] | None:
    """JSON schemas of tools, some of which may be schemas already."""
    if tools is None:
        return None
    for tool in tools:
        if not isinstance(tool, dict) and not inspect.isroutine(tool):
            raise ValueError(f"tools: expected JSON schemas or functions with type hints and a docstring, not {tool!r}")
    return [tool if isinstance(tool, dict) else schema_of(tool) for tool in tools]


def left_open(messages: list[Any]) -> tuple[list[Any], str]:
    """The messages with a mark at the end of the last one's text, and that text."""
    marked = copy.deepcopy(messages)
    last = marked[-1]["content"]
    if isinstance(last, str):
        marked[-1]["content"] = last + _TAG
        return marked, last
    for block in reversed(last):
        if "text" in block:
            last, block["text"] = block["text"], block["text"] + _TAG
            return marked, last
    raise ValueError("continue_final_message: the last message has no text to go on with")


def cut_at_mark(prompt: str, last: str) -> str:
    """What a template made of left_open()'s messages, up to the end of the last one."""
    mark = _TAG.strip()
    if mark not in prompt or last.strip() not in prompt:
        raise ValueError("continue_final_message: the chat template leaves out some of the last message")
    place = prompt.rindex(mark)
    spaces_kept = prompt[place:place + len(_TAG)] == _TAG
    return prompt[:place] if spaces_kept else prompt[:place].rstrip()
