"""Tools from an OpenAPI 3 document: each operation is one, its parameters and its body the arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote

from ..errors import InputError
from ..request import Tool
from .fitting import check_schema
from .sources import Source, function_tool, legal_name, outcome_of

Document: TypeAlias = Mapping[str, Any]

METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
PLACES = ("path", "query", "header", "cookie")
BODY = "body"
"""The argument that holds an operation's body."""

FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"

_COMPONENT = re.compile(r"#/components/schemas/([^/]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """A call of an operation, ready for any HTTP client: `path` is filled in; add the server's address.

    `content_type` says what `body` is to be sent as: a value as JSON, a mapping as a form (in httpx's words: ``json``,
    ``data``, or ``files`` for ``multipart/form-data``), a text as it is. It's None where there is no body.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    content_type: str | None = None


SendCall: TypeAlias = Callable[[HttpCall], Any]
"""Sends a call; may return an awaitable."""


def from_openapi(document: Document, send: SendCall | None) -> list[Source]:
    """A source for each operation.

    Raises `InputError`, which names the operation, where this is no OpenAPI 3 document, a reference leads nowhere, or
    the schema of an argument is none.
    """
    is_one = isinstance(document, Mapping) and str(document.get("openapi", "")).startswith("3.")
    if not is_one or not isinstance(document.get("paths"), Mapping):
        raise InputError("not an OpenAPI 3 document: it needs `openapi: 3.…` and `paths`")
    sources: list[Source] = []
    definitions: dict[str, Any] = {}
    for path, given in document["paths"].items():
        if str(path).startswith("x-"):
            continue
        for method in METHODS:
            try:
                item = _resolved(document, given)
                if item.get(method) is not None:
                    sources.append(_source(document, str(path), method, item, send, definitions))
            except InputError as error:
                raise InputError(f"OpenAPI: {method} {path}: {error}") from None
    for name, schema in definitions.items():
        check_schema(schema, f"OpenAPI: #/components/schemas/{name}")
    return sources


def _source(
    document: Document,
    path: str,
    method: str,
    item: Document,
    send: SendCall | None,
    definitions: dict[str, Any],
) -> Source:
    """The operation *method* of a path's *item*; what it refers to is put into *definitions*."""
    operation = _object(item[method])
    name = legal_name(str(operation.get("operationId") or f"{method}_{path.strip('/')}"))
    parameters = _parameters(document, [*_list(item, "parameters"), *_list(operation, "parameters")])
    body = _resolved(document, operation.get("requestBody") or {})
    content_type, _ = _media(body)
    has_body = content_type is not None
    schema = _arguments(parameters, body)
    check_schema(schema, "its arguments")
    _define(document, schema, definitions)
    texts = [str(operation.get(key) or "").strip() for key in ("summary", "description")]
    description = "\n".join(dict.fromkeys(filter(None, texts)))
    known = (*parameters, *((BODY,) if has_body else ()))

    def build() -> Tool:
        schema, referred = _arguments(parameters, body), dict[str, Any]()
        _define(document, schema, referred)
        return function_tool(name, description, {**schema, "$defs": referred} if referred else schema)

    async def run(arguments: Mapping[str, Any]) -> Any:
        assert send is not None
        if unknown := [argument for argument in arguments if argument not in known]:
            raise InputError(f"invalid arguments of {name}: unknown: {', '.join(unknown)}; known: {', '.join(known)}")
        return await outcome_of(send, _call(method, path, parameters, arguments, content_type))

    return Source(
        name=name,
        description=description,
        arguments=known,
        build=build,
        run=run if send is not None else None,
    )


def _parameters(document: Document, listed: list[Any]) -> dict[str, Document]:
    """Argument → parameter; an operation's own stand in place of its path's."""
    resolved = [_resolved(document, given) for given in listed]
    for one in resolved:
        if not isinstance(one.get("name"), str) or one.get("in") not in PLACES:
            raise InputError(f"a parameter needs a `name`, and `in`: {', '.join(PLACES)}; got {one!r}"[:200])
    by_place = {(one["name"], one["in"]): one for one in resolved}
    names = [BODY, *(name for name, _ in by_place)]
    return {(name if names.count(name) == 1 else f"{name}_{place}"): one for (name, place), one in by_place.items()}


def _arguments(parameters: Mapping[str, Document], body: Document) -> dict[str, Any]:
    """The schema of the arguments, without the definitions that it refers to."""
    properties: dict[str, Any] = {}
    for argument, one in parameters.items():
        schema = _object(one.get("schema") or _media(one)[1])
        told = {"description": one["description"]} if one.get("description") else {}
        properties[argument] = {**schema, **told}
    required = _required(parameters)
    content_type, schema = _media(body)
    if content_type is not None:
        properties[BODY] = schema
        required += [BODY] if body.get("required") else []
    return {"type": "object", "properties": _plain(properties), "required": required}


def _media(holder: Document) -> tuple[str | None, Document]:
    """(media type, schema) of what *holder* holds: JSON where it may be, else a form, else what comes first."""
    kinds = {str(kind): media for kind, media in _object(holder.get("content") or {}).items()}
    for kind in sorted(kinds, key=_awkwardness):
        media = kinds[kind]
        schema = media.get("schema") if isinstance(media, Mapping) else None
        is_text = _awkwardness(kind) > _awkwardness(MULTIPART)
        return kind, schema if isinstance(schema, Mapping) else {"type": "string"} if is_text else {}
    return None, {}


def _awkwardness(kind: str) -> int:
    """How far a media type is from the JSON that models write."""
    bare = kind.partition(";")[0].strip().lower()
    return 0 if "json" in bare else {FORM: 1, MULTIPART: 2}.get(bare, 3)


def _resolved(document: Document, node: Document) -> Document:
    """*node*, or what its reference points to."""
    seen: set[str] = set()
    while isinstance(reference := _object(node).get("$ref"), str):
        if reference in seen or not reference.startswith("#/"):
            raise InputError(f"can't follow the reference {reference}")
        seen.add(reference)
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, Mapping) else None  # type: ignore[assignment]
        if not isinstance(node, Mapping):
            raise InputError(f"the reference {reference} leads nowhere")
    return node


def _object(node: Any) -> Document:
    if not isinstance(node, Mapping):
        raise InputError(f"an object is needed; got {node!r}"[:200])
    return node


def _list(node: Document, key: str) -> list[Any]:
    found = node.get(key) or []
    if not isinstance(found, list):
        raise InputError(f"`{key}` has to be a list; got {found!r}"[:200])
    return found


def _plain(node: Any) -> Any:
    """A schema of OpenAPI 3.0 as JSON Schema: its ``nullable`` and boolean bounds; references lead to ``$defs``."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, Mapping):
        return node
    plain = {key: _plain(value) for key, value in node.items()}
    if isinstance(node.get("$ref"), str):
        plain["$ref"] = _COMPONENT.sub(r"#/$defs/\1", node["$ref"])
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(plain.get(exclusive), bool) and plain.pop(exclusive) and bound in plain:
            plain[exclusive] = plain.pop(bound)
    return _nullable(plain)


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(schema.get("nullable"), bool):
        return schema
    allowed, kind = schema.pop("nullable"), schema.get("type")
    if allowed and isinstance(kind, str):
        schema["type"] = [kind, "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    return schema


def _define(document: Document, schema: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Put into *definitions* what *schema* refers to, and what that refers to, where it isn't there yet."""
    components = _object(_object(document.get("components") or {}).get("schemas") or {})
    waiting = list(_references(schema))
    while waiting:
        name = waiting.pop()
        if name in definitions:
            continue
        if name not in components:
            raise InputError(f"the reference #/components/schemas/{name} leads nowhere")
        definitions[name] = _plain(components[name])
        waiting += _references(definitions[name])


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _references(item)
    elif isinstance(node, Mapping):
        reference = node.get("$ref")
        if isinstance(reference, str):
            if not reference.startswith("#/$defs/"):
                raise InputError(f"can't follow the reference {reference}")
            yield reference.removeprefix("#/$defs/").partition("/")[0]
        for value in node.values():
            yield from _references(value)


def _required(parameters: Mapping[str, Document]) -> list[str]:
    """The parameters that a call can't do without."""
    return [argument for argument, one in parameters.items() if one.get("required") or one["in"] == "path"]


def _call(
    method: str,
    path: str,
    parameters: Mapping[str, Document],
    arguments: Mapping[str, Any],
    content_type: str | None,
) -> HttpCall:
    places: dict[str, dict[str, Any]] = {place: {} for place in PLACES}
    for argument, one in parameters.items():
        if argument in arguments:
            places[one["in"]][one["name"]] = arguments[argument]
    for name, value in places["path"].items():
        path = path.replace("{" + name + "}", quote(str(value), safe=""))
    return HttpCall(
        method=method.upper(),
        path=path,
        query=places["query"],
        headers={name: str(value) for name, value in places["header"].items()},
        cookies={name: str(value) for name, value in places["cookie"].items()},
        body=arguments.get(BODY),
        content_type=content_type if BODY in arguments else None,
    )
