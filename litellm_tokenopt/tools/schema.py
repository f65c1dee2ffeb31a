"""Say the same JSON schema in fewer tokens: a compressed schema accepts just what the original did.

References to definitions are put in place where that is shorter, a union of a plain type with null becomes a
list of types, and annotations that say nothing (titles, ``$schema``, examples, ``default: null``, …) go.
Everything is a pure function of the schema; a form that isn't understood is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeAlias

from .prose import says_how, sentences
from .reading import as_json
from .telegram import PLAIN, weight
from .wording import LIGHT, Wording

Schema: TypeAlias = Mapping[str, Any]

MAX_DEPTH = 40
"""Schemas nested deeper than this are left as they are."""

NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose value maps names to schemas."""

LISTED = ("anyOf", "oneOf", "allOf", "prefixItems")
"""Keywords whose value is a list of schemas."""

SINGLE = (
    "items", "additionalProperties", "additionalItems", "contains", "propertyNames", "not", "if", "then", "else",
    "unevaluatedItems", "unevaluatedProperties",
)  # fmt: skip
"""Keywords whose value is a schema."""

ANNOTATIONS = frozenset({"title", "description", "default", "examples", "example", "deprecated", "$comment"})

NULLABLE = ANNOTATIONS | {
    "type", "items", "properties", "required", "additionalProperties", "minItems", "maxItems", "minProperties",
    "maxProperties",
}  # fmt: skip
"""Keywords that a list of types carries through every provider's translation, and that don't concern null."""

LEAST = frozenset({"minItems", "minLength", "minProperties"})
UNSET = frozenset({"uniqueItems", "deprecated", "readOnly", "writeOnly"})
"""Keywords that at 0, and at false, say what holds without them."""

PLAIN_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object"})

UNMOVABLE = frozenset({"$id", "id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"})
"""Keywords that make a place in a schema matter: where one is used, nothing is moved."""

DIALECT = frozenset({"dependencies", "additionalItems", "$recursiveRef", "$recursiveAnchor"})
"""Keywords that mean something in the older versions of JSON Schema alone."""

LATER = frozenset({
    "prefixItems", "minContains", "maxContains", "dependentRequired", "dependentSchemas", "unevaluatedItems",
    "unevaluatedProperties", "$dynamicRef", "$dynamicAnchor",
})  # fmt: skip
"""Keywords that mean nothing before its version 2019-09 or 2020-12."""

_LATEST = re.compile(r"\b2020-12\b")
_OLDEST = re.compile(r"\bdraft-0[1-4]\b")
"""Versions in which a part of the plain keywords means something else, too."""

_SHOWS_FORM = re.compile(r"\d|\w[-/:_@#]\w")

DEFINITIONS = ("$defs", "definitions")


_NOTHING = object()


class _TooDeep(Exception):
    """The schema is nested beyond `MAX_DEPTH`."""


def compress_schema(schema: Schema, *, told: str = "", strict: bool = False, wording: Wording = LIGHT) -> Schema:
    """*schema* in fewer tokens, or the very object where there is nothing to gain.

    *told* is what the tool's name and description say: an argument's description needn't say it again. *strict*
    schemas (which a provider enforces, and only in certain forms) lose annotations alone.
    """
    while (shorter := _shorter(schema, told, strict, wording)) is not schema:
        schema = shorter
    return schema


def _shorter(schema: Schema, told: str, strict: bool, wording: Wording) -> Schema:
    """One round of compression, which may open the way for another; the very object where nothing is gained."""
    try:
        candidates = [_strip(schema, told, wording)]
        if not strict and _is_movable(schema):
            candidates.append(_tightened(candidates[0]))
            if (inlined := _inline(schema)) != schema:
                candidates.append(_tightened(_strip(inlined, told, wording)))
    except (_TooDeep, RecursionError):
        return schema
    shortest = min(candidates, key=lambda candidate: len(as_json(candidate)))
    return shortest if len(as_json(shortest)) < len(as_json(schema)) else schema


# Walking


def _map(schema: Any, change: Callable[[Schema], Schema], depth: int = 0) -> Any:
    """*schema* with *change* applied to each schema in it, innermost first; names and plain values aren't touched."""
    if not isinstance(schema, Mapping):
        return schema
    if depth > MAX_DEPTH:
        raise _TooDeep
    return change({key: _map_value(key, value, change, depth + 1) for key, value in schema.items()})


def _map_value(key: str, value: Any, change: Callable[[Schema], Schema], depth: int) -> Any:
    if key in NAMED and isinstance(value, Mapping):
        return {name: _map(item, change, depth) for name, item in value.items()}
    if (key in LISTED or key == "items") and isinstance(value, (list, tuple)):
        return [_map(item, change, depth) for item in value]
    return _map(value, change, depth) if key in SINGLE else value


def _nested(schema: Any, depth: int = 0) -> Iterator[Schema]:
    """Every schema in *schema*, itself first."""
    found: list[Schema] = []

    def note(inner: Schema) -> Schema:
        found.append(inner)
        return inner

    _map(schema, note, depth)
    return reversed(found)


# Annotations


def _strip(schema: Schema, told: str, wording: Wording) -> Schema:
    """*schema* without what says nothing, and with its descriptions shortened."""
    inner = told if wording.knows_context else ""
    counted = any("unevaluatedProperties" in one for one in _nested(schema))
    bare = _name_arguments(_map(schema, lambda one: _strip_one(one, inner, wording, counted)), told, wording)
    return _without(_without(bare, "title"), "" if _needs_dialect(schema) else "$schema")


def _strip_one(schema: Schema, told: str, wording: Wording, counted: bool) -> Schema:
    """One schema without its empty annotations; the schemas in it are done already.

    *counted*: ``additionalProperties`` that allow all still say something, to ``unevaluatedProperties``.
    """
    kept = {
        key: value
        for key, value in schema.items()
        if not _says_nothing(key, value) or (counted and key == "additionalProperties")
    }
    description = kept.get("description")
    if (shown := _shown(schema)) is not None:
        kept["examples"] = [shown]
    if isinstance(description, str):
        kept["description"] = wording.unnamed(description, _facts(kept)) or description
        kept.pop("title", None)
    return _name_arguments(kept, told, wording)


def _says_nothing(key: str, value: Any) -> bool:
    return (
        key in ("examples", "example", "$comment")
        or (key == "default" and value is None)
        or (key == "additionalProperties" and (value is True or value == {}))
        or (key == "required" and value == [])
        or (key in LEAST and value == 0 and value is not False)
        or (key in UNSET and value is False)
        or (key == "description" and isinstance(value, str) and not value.strip())
    )


def _shown(schema: Schema) -> str | None:
    """The example that alone tells the form of a text."""
    if schema.keys() & {"enum", "const", "format", "pattern"} or _SHOWS_FORM.search(str(schema.get("description", ""))):
        return None
    listed = schema.get("examples", [schema.get("example")])
    examples = listed if isinstance(listed, (list, tuple)) else ()
    return next((one for one in examples if isinstance(one, str) and _SHOWS_FORM.search(one)), None)


def _facts(schema: Schema) -> frozenset[str]:
    """The values that a schema gives in its own keywords: bounds, default, allowed values."""
    values = [schema.get(key) for key in ("minimum", "maximum", "minLength", "maxLength", "default")]
    listed = schema.get("enum")
    values += listed if isinstance(listed, (list, tuple)) else []
    return frozenset(as_json(value).strip('"').casefold() for value in values if isinstance(value, (str, int, float)))


def _name_arguments(schema: Schema, told: str, wording: Wording) -> Schema:
    """*schema* where no argument's title or description only repeats its name or what is *told*."""
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return schema
    required = schema.get("required")
    needed = required if isinstance(required, (list, tuple)) else ()
    told = " ".join((told, *map(str, properties))) if wording.knows_context else told
    named = {
        name: _named(inner, f"{name} {told}", {"required" if name in needed else "optional"}, wording)
        for name, inner in properties.items()
    }
    return {**schema, "properties": named}


def _named(schema: Any, told: str, facts: Collection[str], wording: Wording) -> Any:
    """The schema of an argument, its title and description gone where they only repeat what is *told*."""
    if not isinstance(schema, Mapping):
        return schema
    known = _facts(schema) | set(facts)
    kept = {key: _said(key, value, told, known, wording) for key, value in schema.items()}
    return {key: value for key, value in kept.items() if value is not _NOTHING}


def _said(key: str, value: Any, told: str, facts: Collection[str], wording: Wording) -> Any:
    if key in ("title", "description") and isinstance(value, str):
        return wording.argument(value, told, facts) or _NOTHING
    return _named(value, told, (), wording) if key == "items" else value


def _without(schema: Schema, key: str) -> Schema:
    return {other: value for other, value in schema.items() if other != key}


def _needs_dialect(schema: Schema) -> bool:
    """Whether a schema uses what versions of JSON Schema understand differently."""
    version = str(schema.get("$schema", ""))
    keywords = DIALECT if _LATEST.search(version) else DIALECT | LATER
    return bool(_OLDEST.search(version)) or any(
        inner.keys() & keywords
        or isinstance(inner.get("items"), (list, tuple))
        or isinstance(inner.get("exclusiveMinimum"), bool)
        or isinstance(inner.get("exclusiveMaximum"), bool)
        or ("$ref" in inner and bool(inner.keys() - ANNOTATIONS - {"$ref", *DEFINITIONS, "$schema"}))
        for inner in _nested(schema)
    )


# References


def _is_movable(schema: Schema) -> bool:
    """Whether parts of a schema may be moved: every reference points to a definition at its top."""
    everywhere = list(_nested(schema))
    well_formed = all(isinstance(schema.get(key, {}), Mapping) for key in DEFINITIONS)
    return (
        well_formed
        and not any(inner.keys() & UNMOVABLE for inner in everywhere)
        and all(_target(schema, inner["$ref"]) is not None for inner in everywhere if "$ref" in inner)
    )


def _target(root: Schema, reference: Any) -> Schema | None:
    """The definition that a local *reference* points to."""
    if not isinstance(reference, str):
        return None
    marker, _, rest = reference.partition("/")
    keyword, _, name = rest.partition("/")
    definitions = root.get(keyword) if marker == "#" and keyword in DEFINITIONS else None
    found = definitions.get(name) if isinstance(definitions, Mapping) else None
    return found if isinstance(found, Mapping) and not {"/", "~", "%"} & set(name) else None


def _inline(root: Schema) -> Schema:
    """*root* with its definitions in the places of the references to them; recursive ones stay."""
    body = {key: value for key, value in root.items() if key not in DEFINITIONS}
    body = _expand(body, root, ())
    return {**body, **_remaining(body, root)}


def _expand(schema: Any, root: Schema, path: tuple[str, ...]) -> Any:
    """*schema* with references replaced, innermost first; *path* holds the references being followed."""
    if len(path) > MAX_DEPTH:
        raise _TooDeep

    def one(inner: Schema) -> Schema:
        reference = str(inner.get("$ref"))
        target = _target(root, reference)
        if target is None or reference in path or inner.keys() - ANNOTATIONS - {"$ref"} or _recurs(root, reference):
            return inner
        notes = {key: value for key, value in inner.items() if key != "$ref"}
        return _noted(_expand(target, root, (*path, reference)), notes)

    return _map(schema, one)


def _recurs(root: Schema, start: str) -> bool:
    """Whether following references from *start* comes back to it."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        target = _target(root, waiting.pop())
        following = [inner["$ref"] for inner in _nested(target) if "$ref" in inner] if target is not None else []
        if start in following:
            return True
        waiting += [reference for reference in following if reference not in seen]
        seen.update(following)
    return False


def _remaining(body: Schema, root: Schema) -> dict[str, Any]:
    """The definitions that *body* still refers to, with those that they refer to."""
    wanted: dict[str, Any] = {}
    waiting = [inner["$ref"] for inner in _nested(body) if "$ref" in inner]
    while waiting:
        reference = waiting.pop()
        target = _target(root, reference)
        if target is None or reference in wanted:
            continue
        wanted[reference] = _expand(target, root, ())
        waiting += [inner["$ref"] for inner in _nested(wanted[reference]) if "$ref" in inner]
    return {
        keyword: kept
        for keyword in DEFINITIONS
        if (kept := {n: wanted[f"#/{keyword}/{n}"] for n in root.get(keyword) or () if f"#/{keyword}/{n}" in wanted})
    }


# Unions


def _tightened(schema: Schema) -> Schema:
    return _map(schema, lambda one: _merge_null(_merge_single(_single_type(one))))  # type: ignore[no-any-return]


def _single_type(schema: Schema) -> Schema:
    """``type: [T]`` as ``type: T``, which accepts the same."""
    kinds = schema.get("type")
    if not isinstance(kinds, (list, tuple)) or len(kinds) != 1 or not isinstance(kinds[0], str):
        return schema
    return {**schema, "type": kinds[0]}


def _merge_single(schema: Schema) -> Schema:
    """``allOf: [{…}]`` (or another union of one) with notes alone beside it as ``…``, which accepts the same."""
    for union in ("allOf", "anyOf", "oneOf"):
        options = schema.get(union)
        outer = {key: value for key, value in schema.items() if key != union}
        only = options[0] if isinstance(options, (list, tuple)) and len(options) == 1 else None
        if isinstance(only, Mapping) and outer.keys() <= ANNOTATIONS:
            return _noted(only, outer)
    return schema


def _merge_null(schema: Schema) -> Schema:
    """``anyOf: [{type: T, …}, {type: null}]`` as ``type: [T, null], …``, which accepts the same."""
    for union in ("anyOf", "oneOf"):
        inner = _beside_null(schema.get(union))
        outer = {key: value for key, value in schema.items() if key != union}
        if inner is not None and outer.keys() <= ANNOTATIONS:
            noted = _noted(inner, outer)
            for option in filter(_is_null, schema[union]):
                noted = _noted(_only_description(option), noted)
            return {**noted, "type": [inner["type"], "null"]}
    return schema


def _noted(inner: Schema, outer: Schema) -> Schema:
    """*inner* with the annotations of *outer*; what its own description says of how to call stays behind *outer*'s."""
    own, said = inner.get("description"), outer.get("description")
    if not isinstance(own, str) or not isinstance(said, str):
        return {**inner, **outer}
    telling = [one for line in own.split("\n") for one in sentences(line) if says_how(one) or weight(one) > PLAIN]
    return {**inner, **outer, "description": "\n".join([said, *(one for one in telling if one not in said)])}


def _only_description(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key == "description"}


def _beside_null(options: Any) -> Schema | None:
    """The one plain type that a union offers beside null."""
    if not isinstance(options, (list, tuple)) or len(options) != 2:
        return None
    others = [option for option in options if not _is_null(option)]
    if len(others) != 1 or not isinstance(others[0], Mapping):
        return None
    kind = others[0].get("type")
    return others[0] if isinstance(kind, str) and kind in PLAIN_TYPES and others[0].keys() <= NULLABLE else None


def _is_null(option: Any) -> bool:
    return isinstance(option, Mapping) and option.get("type") == "null" and not option.keys() - ANNOTATIONS - {"type"}
