"""A compressed schema accepts just what the original did."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from litellm_tokenopt.tools.compress import compress_tool
from litellm_tokenopt.tools.schema import compress_schema
from litellm_tokenopt.tools.wording import WORDINGS


def obj(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_titles_dialect_examples_and_empty_defaults_go() -> None:
    """Annotations that say nothing are dropped; a default that says something stays."""
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Args",
        "type": "object",
        "properties": {
            "path": {"type": "string", "title": "Path", "examples": ["/a"]},
            "limit": {"type": "integer", "default": 10, "title": "Limit"},
            "note": {"type": "string", "default": None, "description": "The note"},
        },
        "required": [],
        "additionalProperties": True,
    }
    assert compress_schema(schema) == obj(
        path={"type": "string"}, limit={"type": "integer", "default": 10}, note={"type": "string"}
    )


def test_keywords_that_say_what_holds_anyway_go() -> None:
    """At least none, not unique, not read-only; one type in a list is that type."""
    schema = obj(
        names={"type": ["array"], "minItems": 0, "uniqueItems": False, "items": {"type": "string", "minLength": 0}},
        old={"type": "boolean", "deprecated": False, "readOnly": False},
        rest={"type": "object", "minProperties": 0, "properties": {}, "deprecated": True},
    )
    assert compress_schema(schema) == obj(
        names={"type": "array", "items": {"type": "string"}},
        old={"type": "boolean"},
        rest={"type": "object", "properties": {}, "deprecated": True},
    )


def test_arguments_may_be_called_like_keywords() -> None:
    """An argument named title, default, examples or $ref is no annotation."""
    schema = obj(
        **{name: {"type": "string"} for name in ("title", "default", "examples", "description", "required", "$ref")}
    )
    assert compress_schema(schema) == schema


def test_values_are_not_schemas() -> None:
    """What stands in an enum, a const or a default is data, whatever its keys are called."""
    data = {"title": "T", "default": None, "required": []}
    schema = {**obj(a={"enum": [data]}, b={"const": data}, c={"default": data}), "title": "Args"}
    assert compress_schema(schema) == obj(a={"enum": [data]}, b={"const": data}, c={"default": data})


def test_a_title_that_says_more_than_the_name_stays() -> None:
    """With no description beside it, a telling title is all that explains an argument."""
    schema = {**obj(q={"type": "string", "title": "Search words"}), "title": "Args"}
    assert compress_schema(schema) == obj(q={"type": "string", "title": "Search words"})


def test_references_are_put_in_place_where_that_is_shorter() -> None:
    """A definition used once stands where it is used; notes beside the reference win."""
    schema = {
        **obj(at={"$ref": "#/$defs/Place", "description": "Where to go"}),
        "$defs": {"Place": {"title": "Place", "description": "A place", **obj(lat={"type": "number"})}},
    }
    assert compress_schema(schema) == obj(at={**obj(lat={"type": "number"}), "description": "Where to go"})


def test_recursive_definitions_stay() -> None:
    """A tree refers to itself, so its definition can't be put in place."""
    node = obj(value={"type": "string"}, children={"type": "array", "items": {"$ref": "#/$defs/Node"}})
    schema = {**obj(root={"$ref": "#/$defs/Node"}, kind={"$ref": "#/$defs/Kind"}),
              "$defs": {"Node": node, "Kind": {"enum": ["a", "b"]}}}  # fmt: skip
    assert compress_schema(schema) == {
        **obj(root={"$ref": "#/$defs/Node"}, kind={"enum": ["a", "b"]}),
        "$defs": {"Node": node},
    }


def test_a_union_of_a_plain_type_with_null_becomes_a_list_of_types() -> None:
    """Null stays accepted; a constrained type keeps its union, since not every provider carries that over."""
    either = {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None, "title": "A"}
    bounded = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}
    assert compress_schema(obj(a=either, b=bounded)) == obj(a={"type": ["string", "null"]}, b=bounded)


def test_a_union_of_one_is_that_one() -> None:
    """What generators wrap a reference in, so that notes may stand beside it, goes; the notes win."""
    schema = {
        **obj(at={"allOf": [{"$ref": "#/$defs/Place"}], "description": "Where to go"}),
        "$defs": {"Place": {"description": "A place", **obj(lat={"type": "number"})}},
    }
    assert compress_schema(schema) == obj(at={**obj(lat={"type": "number"}), "description": "Where to go"})


def test_levels_differ_in_words_alone(make_tool: Any) -> None:
    """Each level is shorter than the one before it; full is the very object."""
    tool = make_tool(
        "find_visit", "This tool finds a visit by its day.\n\nPerfect for planning ahead in the office.", ["day"]
    )
    tool["function"]["parameters"]["properties"]["day"] = {
        "type": "string", "title": "Day",
        "description": "The day of the visit, as agreed with the visitor, in YYYY-MM-DD format. "
        "Must not lie behind us, however much the guest wants it.",
    }  # fmt: skip
    sizes = [len(json.dumps(compress_tool(tool, level))) for level in ("full", "lossless", "light", "strong", "bare")]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 5
    assert compress_tool(tool, "full") is tool


def test_strict_tools_keep_their_form(make_tool: Any) -> None:
    """A schema that the provider enforces loses annotations alone."""
    either = {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "A"}
    tool = make_tool("save", "Save it.", strict=True)
    tool["function"]["parameters"] = {**obj(a=either), "required": ["a"], "additionalProperties": False}
    short = compress_tool(tool, "light")["function"]["parameters"]
    assert short == {**obj(a={"anyOf": either["anyOf"]}), "required": ["a"], "additionalProperties": False}


def test_forms_that_move_nothing() -> None:
    """Anchors, foreign references and pointers into properties leave the structure alone."""
    for reference in ("#/properties/a", "other.json", "#anchor", "#", 5):
        schema = {**obj(a={"type": "string"}, b={"$ref": reference}), "$defs": {"X": {"type": "string"}}}
        assert compress_schema(schema) == schema


@pytest.mark.parametrize("level", ["lossless", "light", "strong", "bare"])
@pytest.mark.parametrize("allowing", [True, {}])
def test_what_allows_all_stays_where_others_count_on_it(allowing: Any, level: Any, make_tool: Any) -> None:
    """To ``unevaluatedProperties`` a property that was allowed explicitly is one that was evaluated."""
    open_part = {"properties": {"b": {"type": "string"}}, "additionalProperties": allowing}
    schema = {**obj(a={"type": "integer", "title": "A"}), "allOf": [open_part], "unevaluatedProperties": False}
    tool = make_tool("save", "Save it.")
    tool["function"]["parameters"] = schema
    short = compress_tool(tool, level)["function"]["parameters"]
    for arguments in ({"a": 1}, {"c": 1}, {"a": "x"}):
        assert Draft202012Validator(short).is_valid(arguments) == Draft202012Validator(schema).is_valid(arguments)
    assert "title" not in json.dumps(short)


def test_versions_of_json_schema_that_differ_are_still_named() -> None:
    """``$schema`` stays where a keyword's meaning hangs on it."""
    schema = {"$schema": "http://json-schema.org/draft-07/schema#",
              **obj(pair={"type": "array", "items": [{"type": "string"}, {"type": "number"}]})}  # fmt: skip
    assert compress_schema(schema) == schema


@pytest.mark.parametrize(
    ("version", "keywords"),
    [
        ("http://json-schema.org/draft-07/schema#", {"dependentRequired": {"a": ["b"]}}),
        ("http://json-schema.org/draft-07/schema#", {"unevaluatedProperties": False}),
        ("http://json-schema.org/draft-04/schema#", {"propertyNames": {"maxLength": 1}}),
        ("http://json-schema.org/draft-04/schema#", {}),
    ],
)
def test_versions_that_do_not_know_a_keyword_are_still_named(version: str, keywords: Any) -> None:
    """Elsewhere it would constrain calls that it doesn't there (to draft 4, ``1.0`` is no integer)."""
    schema = {"$schema": version, **obj(a={"type": "integer"}), **keywords}
    assert compress_schema(schema) == schema
    latest = {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema"}
    assert compress_schema(latest) == {key: value for key, value in schema.items() if key != "$schema"}


def test_what_a_definition_says_of_calls_stays_behind_the_arguments_own_words() -> None:
    """A unit or format is said where the definition was, and so is what null does."""
    money = {"type": "integer", "description": "A sum of money. Amount in cents, tax included."}
    empty = {"type": "null", "description": "Null removes the date."}
    schema = {
        **obj(
            price={"$ref": "#/$defs/Money", "description": "What it costs the buyer"},
            due={"anyOf": [{"type": "string", "description": "In UTC"}, empty], "description": "Day of payment"},
        ),
        "$defs": {"Money": money},
    }
    arguments = compress_schema(schema)["properties"]
    assert arguments["price"]["description"] == "What it costs the buyer\nAmount in cents, tax included."
    assert arguments["due"] == {
        "type": ["string", "null"],
        "description": "Day of payment\nIn UTC\nNull removes the date",
    }


@pytest.mark.parametrize("level", ["lossless", "light", "strong", "bare"])
def test_an_example_stays_where_it_alone_tells_the_form(level: Any) -> None:
    """One of them; those of numbers and words, and beside what tells the form, go."""
    week = {"type": "string", "examples": ["2024-W05", "2024-W06"]}
    others = [
        {**week, "pattern": "W"},
        {**week, "description": "In the form 2024-W05"},
        {"type": "integer", "examples": [3]},
        {"type": "string", "examples": ["blue"]},
    ]
    short = compress_schema(obj(week=week, **{f"x{n}": o for n, o in enumerate(others)}), wording=WORDINGS[level])
    assert short["properties"].pop("week")["examples"] == ["2024-W05"]
    assert not any("examples" in one for one in short["properties"].values())


def test_very_deep_schemas_are_left_alone() -> None:
    """Nothing is gained by failing on a schema that is nested a thousand times."""
    schema: dict[str, Any] = {"type": "string", "title": "x"}
    for _ in range(1000):
        schema = {"type": "array", "items": schema}
    assert compress_schema(schema) is schema


@pytest.mark.parametrize(
    "parameters", [None, [], "text", {"properties": []}, {"type": 5, "$defs": [], "required": "a"}]
)
def test_malformed_schemas_pass(parameters: Any, make_tool: Any) -> None:
    """What is no schema isn't repaired, and nothing raises."""
    tool = make_tool("odd", "Odd.", strict=1)
    tool["function"]["parameters"] = parameters
    assert compress_tool(tool, "light")["function"]["parameters"] == parameters


def test_marked_tools_are_untouched(make_tool: Any) -> None:
    """A tool with the caller's cache mark is the very object that came in."""
    tool = {**make_tool("a", "A  b.", ["x"]), "cache_control": {"type": "ephemeral"}}
    assert compress_tool(tool, "light") is tool


def drawn(schema: Any, draw: Any) -> Any:
    """A value that *schema* (plain types, bounds, enums, nested objects and lists) accepts."""
    if "enum" in schema:
        return draw(st.sampled_from(schema["enum"]))
    kind = schema["type"] if isinstance(schema["type"], str) else draw(st.sampled_from(schema["type"]))
    if kind == "object":
        chosen = [n for n in schema["properties"] if n in schema.get("required", ()) or draw(st.booleans())]
        return {name: drawn(schema["properties"][name], draw) for name in chosen}
    if kind == "array":
        return [drawn(schema["items"], draw) for _ in range(draw(st.integers(0, 2)))]
    plain = {"string": st.text(max_size=3), "boolean": st.booleans(), "null": st.none()}
    plain["integer"] = st.integers(schema.get("minimum"), schema.get("maximum"))
    return draw(plain[kind])


ARGUMENTS = st.recursive(
    st.builds(
        lambda kind, notes: {**kind, **notes},
        st.sampled_from(
            [{"type": "string"}, {"type": "integer", "minimum": 1, "maximum": 5}, {"type": "boolean"},
             {"enum": ["asc", "desc"], "type": "string"}, {"type": ["string", "null"]}]
        ),
        st.fixed_dictionaries(
            {}, optional={"title": st.just("Title"), "default": st.none(),
                          "description": st.sampled_from(["The name (min 1, max 5)", "Must be set.", "Nice. " * 9])}
        ),
    ),
    lambda inner: st.one_of(
        st.builds(lambda items: {"type": "array", "items": items}, inner),
        st.builds(
            lambda properties, closed: {
                "type": "object", "properties": properties, "required": sorted(properties)[:1], **closed,
            },
            st.dictionaries(st.sampled_from(["name", "size", "items", "title"]), inner, min_size=1, max_size=3),
            st.sampled_from([{}, {"additionalProperties": False}, {"additionalProperties": True}]),
        ),
    ),
    max_leaves=5,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.data(), ARGUMENTS, st.sampled_from(sorted(WORDINGS)))
def test_arguments_drawn_from_either_schema_are_valid_for_the_other(data: Any, argument: Any, level: Any) -> None:
    """A model that keeps to the compressed schema makes calls that the original accepts, and the other way round."""
    schema = {"type": "object", "properties": {"name": argument}, "required": ["name"], "additionalProperties": False}
    short = compress_schema(schema, told="set_name", wording=WORDINGS[level])
    Draft202012Validator(schema).validate(drawn(short, data.draw))
    Draft202012Validator(short).validate(drawn(schema, data.draw))


NAMES = ("title", "default", "name", "repo_path", "description", "$ref", "items")
NOTES = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["Name", "Repo Path", "Something else"]),
        "description": st.sampled_from(["The name", "", "The size  (min 1)", "Must be set. " * 9]),
        "default": st.sampled_from([None, 1, {}]),
        "examples": st.just([1]),
    },
)
LEAVES = st.one_of(
    st.sampled_from(
        [{}, {"type": "string"}, {"type": "null"}, {"type": "boolean"}, {"enum": ["a", None, {"title": "x"}]}]
    ),
    st.just({"type": "integer", "minimum": 1}),
    st.just({"type": "string", "pattern": "^a", "maxLength": 3}),
    st.sampled_from([{"type": ["string"], "minLength": 0}, {"type": ["array"], "minItems": 0, "uniqueItems": False}]),
    st.sampled_from([{"const": "a"}, {"const": None}, {"const": {"title": "x"}}, {"not": {"type": "string"}}]),
    st.sampled_from([{"type": "string", "format": "date"}, {"type": "string", "format": "ipv4"}]),
    st.sampled_from(
        [{"type": ["string", "null"]}, {"type": "string", "nullable": True}, {"type": ["integer", "array"]}]
    ),
    st.sampled_from([{"$ref": "#/$defs/A"}, {"$ref": "#/$defs/Tree"}, {"$ref": "#/$defs/B"}]),
)


def noted(schemas: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda schema, notes: {**schema, **notes}, schemas, NOTES)


def branches(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    objects = st.builds(
        lambda properties, patterns, required, extra: {
            "type": "object", "properties": properties, **patterns, **required, **extra,
        },
        st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
        st.one_of(st.just({}), st.builds(lambda one: {"patternProperties": {"^(n|ti)": one}}, inner)),
        st.sampled_from([{}, {"required": []}, {"required": ["name"]}]),
        st.sampled_from(
            [{}, {"additionalProperties": True}, {"additionalProperties": False}, {"additionalProperties": {}}]
        ),
    )  # fmt: skip
    arrays = st.builds(lambda items: {"type": "array", "items": items}, inner)
    nullable = st.builds(
        lambda items, first, union: {union: [{"type": "null"}, items] if first else [items, {"type": "null"}]},
        inner, st.booleans(), st.sampled_from(["anyOf", "oneOf"]),
    )  # fmt: skip
    unions = st.builds(
        lambda union, options: {union: options},
        st.sampled_from(["allOf", "anyOf", "oneOf"]), st.lists(inner, min_size=1, max_size=2),
    )  # fmt: skip
    return noted(st.one_of(objects, objects, arrays, nullable, unions))


SCHEMAS = st.recursive(noted(LEAVES), branches, max_leaves=6)
ROOTS = st.builds(
    lambda root, a, b: {
        **root,
        "$defs": {"A": a, "B": b, "Tree": obj(name={"type": "string"}, items={"$ref": "#/$defs/Tree"}), "Idle": {}},
    },
    SCHEMAS, noted(st.sampled_from([{"type": "string"}, {"$ref": "#/$defs/Tree"}])),
    noted(st.sampled_from([{"type": "array", "items": {"$ref": "#/$defs/A"}}, {"type": "object", "title": "B"}])),
)  # fmt: skip
VALUES = st.recursive(
    st.sampled_from([None, True, 0, 1, 2.5, "", "a", "abcd", "2031-02-03", "10.0.0.1", {"title": "x"}]),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=250, deadline=None)
@given(ROOTS, st.lists(VALUES, min_size=8, max_size=8), st.booleans(), st.sampled_from(sorted(WORDINGS)))
def test_a_compressed_schema_accepts_just_what_the_original_did(
    root: Any, values: list[Any], strict: bool, level: Any
) -> None:
    """Never longer, the same calls accepted and refused, and compressing again changes nothing."""
    before = json.dumps(root)
    wording = WORDINGS[level]
    short = compress_schema(root, told="set_name", strict=strict, wording=wording)
    assert json.dumps(root) == before
    assert len(json.dumps(short)) <= len(before)
    assert compress_schema(short, told="set_name", strict=strict, wording=wording) is short
    checks = Draft202012Validator.FORMAT_CHECKER
    original, compressed = (Draft202012Validator(one, format_checker=checks) for one in (root, short))
    for value in (*values, dict(zip(NAMES, values, strict=False))):
        assert original.is_valid(value) == compressed.is_valid(value)
