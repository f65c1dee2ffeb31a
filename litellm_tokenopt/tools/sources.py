"""Where a registry's tools come from: Python callables, pydantic models, and ready descriptions such as MCP's.

A `Source` knows at once what ranking reads (name, description, names of arguments); its schema is built when asked for.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias, get_type_hints

from ..errors import InputError
from ..request import Tool, digest, field_of
from .fitting import check_schema

if TYPE_CHECKING:
    from pydantic import BaseModel

Run: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[Any]]
Handler: TypeAlias = Callable[[str, Mapping[str, Any]], Any]
"""(a tool's name, arguments) → its result, or an awaitable of it: an MCP session's ``call_tool``, say."""

NAME_CHARS = 64
"""Providers take names up to this length, of letters, digits, ``_`` and ``-``."""

_OTHER_CHARS = re.compile(r"[^a-zA-Z0-9_-]+")
_SECTION = re.compile(
    r"^\s*(?:Args|Arguments|Parameters|Params|Returns?|Yields?|Raises|Examples?|Notes?)\s*:?\s*$", re.I
)
_ARGUMENTS = re.compile(r"^\s*(?:Args|Arguments|Parameters|Params)\s*:?\s*$", re.I)
_ARGUMENT = re.compile(r"^(\s*)\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)$")
_FIELD = re.compile(r"^\s*:param(?:\s+[\w\[\], ]+)?\s+(\w+)\s*:\s*(.*)$")
_RULE = re.compile(r"^\s*-{3,}\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One tool before its schema is built; `run` carries out a call with arguments as the model gave them.

    `checks`: it checks them itself; else they're to fit the schema.
    """

    name: str
    description: str
    arguments: tuple[str, ...]
    build: Callable[[], Tool]
    run: Run | None = None
    checks: bool = False

    def outline(self) -> Tool:
        """The tool as far as ranking reads it."""
        properties: dict[str, Any] = {name: {} for name in self.arguments}
        return function_tool(self.name, self.description, {"type": "object", "properties": properties})


def function_tool(name: str, description: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A tool in OpenAI's form."""
    told = {"description": description} if description else {}
    return {"type": "function", "function": {"name": name, **told, "parameters": parameters}}


def of_object(schema: Mapping[str, Any]) -> dict[str, Any]:
    """*schema* with type and properties in sight, as providers want them, also where it refers to a definition."""
    schema = {key: value for key, value in schema.items() if value is not None}
    group, _, name = str(schema.get("$ref", "")).removeprefix("#/").partition("/")
    definitions = schema.get(group)
    target = definitions.get(name) if isinstance(definitions, Mapping) else None
    beside = {key: schema[key] for key in schema if key != "$ref"}
    # Where keywords stand beside the reference, both count, and the reference has to stay.
    if isinstance(target, Mapping) and beside.keys() <= {group, "type", "title", "description", "$schema"}:
        return {"type": "object", "properties": {}, **target, **beside}
    return {"type": "object", "properties": {}, **schema}


def legal_name(name: str) -> str:
    """*name* as providers take it; names that differ only behind what they take stay apart."""
    legal = _OTHER_CHARS.sub("_", name).strip("_") or "tool"
    return legal if len(legal) <= NAME_CHARS else f"{legal[: NAME_CHARS - 7]}_{digest(legal)[:6]}"


async def outcome_of(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What *function* returns or, awaited, comes to; a plain function runs in a thread."""
    if inspect.iscoroutinefunction(function):
        return await function(*arguments, **named)
    result = await asyncio.to_thread(function, *arguments, **named)
    return await result if inspect.isawaitable(result) else result


def from_model(model: type[BaseModel]) -> Source:
    """A tool whose arguments are a pydantic model; a call gives the model's instance."""

    async def run(arguments: Mapping[str, Any]) -> Any:
        return validated(model, arguments, model.__name__)

    description = inspect.cleandoc(model.__doc__ or "")
    return Source(
        name=legal_name(model.__name__),
        description=description,
        arguments=tuple(field.alias or name for name, field in model.model_fields.items()),
        build=lambda: function_tool(legal_name(model.__name__), description, _schema(model)),
        run=run,
        checks=True,
    )


def from_callable(function: Callable[..., Any]) -> Source:
    """A tool from a typed signature and a docstring (Google's, NumPy's or Sphinx's form).

    Raises `InputError` where the signature can't be called by name.
    """
    inner = function.func if isinstance(function, partial) else function
    name = legal_name(getattr(inner, "__name__", type(inner).__name__))
    parameters = _parameters(function, name)
    description, arguments = read_docstring(inspect.getdoc(inner) or "")
    model: list[type[BaseModel]] = []  # built once, at the first need

    def built() -> type[BaseModel]:
        if not model:
            model.append(_model(inner, name, parameters, arguments))
        return model[0]

    async def run(given: Mapping[str, Any]) -> Any:
        values = validated(built(), given, name)
        return await outcome_of(function, **{one.name: getattr(values, one.name) for one in parameters})

    return Source(
        name=name,
        description=description,
        arguments=tuple(one.name for one in parameters),
        build=lambda: function_tool(name, description, _schema(built())),
        run=run,
        checks=True,
    )


def from_description(tool: Any, handler: Handler | None) -> Source:
    """A tool from MCP's form (a mapping or object with name, description, inputSchema), or OpenAI's own.

    Raises `InputError` where it has no name, or its schema is none of an object.
    """
    inner = tool.get("function", tool) if isinstance(tool, Mapping) else tool
    own_name = field_of(inner, "name")
    if not isinstance(own_name, str) or not own_name:
        raise InputError(f"a tool needs a name; got {tool!r}"[:200])
    schema = field_of(inner, "inputSchema") or field_of(inner, "input_schema") or field_of(inner, "parameters") or {}
    parameters = _object_schema(schema, own_name)
    description = str(field_of(inner, "description") or "")

    async def run(arguments: Mapping[str, Any]) -> Any:
        assert handler is not None
        return await outcome_of(handler, own_name, arguments)

    return Source(
        name=legal_name(own_name),
        description=description,
        arguments=tuple(parameters["properties"]),
        build=lambda: function_tool(legal_name(own_name), description, parameters),
        run=run if handler is not None else None,
    )


def _object_schema(schema: Any, name: str) -> dict[str, Any]:
    if not isinstance(schema, Mapping):
        raise InputError(f"{name}: no JSON schema: {schema!r}"[:200])
    parameters = of_object(schema)
    check_schema(parameters, name)
    if parameters["type"] != "object":
        raise InputError(f"{name}: arguments are an object; its schema has the type {parameters['type']!r}")
    return parameters


def validated(model: type[BaseModel], arguments: Mapping[str, Any], name: str) -> BaseModel:
    """*arguments* as *model*. Raises `InputError` that a model can read, and act on."""
    from pydantic import ValidationError

    try:
        return model.model_validate(dict(arguments))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise InputError(f"invalid arguments of {name}: {faults}") from None


def read_docstring(text: str) -> tuple[str, dict[str, str]]:
    """(what comes before the sections, argument → its description)."""
    lines = text.splitlines()
    heads = [at for at, line in enumerate(lines) if _SECTION.match(line) or _FIELD.match(line)]
    description = "\n".join(lines[: heads[0]] if heads else lines).strip()
    found = {field[1]: field[2].strip() for line in lines if (field := _FIELD.match(line))}
    start = next((at for at in heads if _ARGUMENTS.match(lines[at])), None)
    if start is not None:
        end = next((at for at in heads if at > start), len(lines))
        found |= _read_arguments([line for line in lines[start + 1 : end] if not _RULE.match(line)])
    return description, {name: said for name, said in found.items() if said}


def _read_arguments(lines: list[str]) -> dict[str, str]:
    """Arguments of a section: lines of the least indentation name them, deeper ones go on."""
    filled = [line for line in lines if line.strip()]
    least = min((len(line) - len(line.lstrip()) for line in filled), default=0)
    found: dict[str, str] = {}
    current = ""
    for line in filled:
        named = _ARGUMENT.match(line)
        if len(line) - len(line.lstrip()) > least:
            if current:
                found[current] = f"{found[current]} {line.strip()}".strip()
        elif named:
            # NumPy's "name : type" describes below; Google's "name: text" right here.
            current, is_numpy = named[2], bool(re.match(r"\s*\w+ :", line))
            found[current] = "" if is_numpy else named[3].strip()
        else:
            current = line.strip()
            found[current] = ""
    return found


def _parameters(function: Callable[..., Any], name: str) -> list[inspect.Parameter]:
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        raise InputError(f"{name} has no signature that can be read: wrap it in a function that has one") from None
    for one in parameters:
        if one.kind not in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY):
            raise InputError(f"{name}: argument {one} can't be given by name, as models give arguments")
    return parameters


def _model(
    function: Callable[..., Any], name: str, parameters: list[inspect.Parameter], described: Mapping[str, str]
) -> type[BaseModel]:
    from pydantic import ConfigDict, Field, create_model

    hints = _hints(function)
    fields: dict[str, Any] = {}
    for one in parameters:
        default = ... if one.default is one.empty else one.default
        fields[one.name] = (hints.get(one.name, Any), Field(default, description=described.get(one.name)))
    config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, protected_namespaces=())
    return create_model(name, __config__=config, **fields)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    of_class = function.__init__ if isinstance(function, type) else type(function).__call__  # type: ignore[misc]
    target = function if inspect.isroutine(function) else of_class
    return get_type_hints(target, include_extras=True)


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = of_object(model.model_json_schema())
    schema.pop("description", None)
    return schema
