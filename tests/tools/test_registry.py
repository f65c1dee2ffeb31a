"""Tools of one's own, from four kinds of sources."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal

import mcp.types as mcp
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, Field

from litellm_tokenopt import InputError, ToolRegistry
from litellm_tokenopt.tools.openapi import FORM, MULTIPART, HttpCall
from litellm_tokenopt.tools.sources import read_docstring


class Place(BaseModel):
    """A point on the map."""

    lat: float
    lon: float = 0.0


def measure(place: Place, unit: Literal["m", "ft"] = "m", *, note: str | None = None) -> str:
    """Measure the height of a place above the sea.

    Args:
        place: Where, as a point
            on the map.
        unit: Of the result.

    Returns:
        A text.
    """
    return f"{place.lat}/{place.lon} {unit} {note}"


async def shout(text: Annotated[str, Field(max_length=5)]) -> str:
    """Say it loudly."""
    return text.upper()


class Complaint(BaseModel):
    """File a complaint."""

    order: str = Field(description="Number of the order")
    severity: int = Field(1, ge=1, le=3)


@dataclass
class McpTool:
    name: str
    description: str
    inputSchema: dict[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {"q": {"type": "string"}}}
    )


SHOP: dict[str, Any] = {
    "openapi": "3.0.0",
    "paths": {
        "/orders/{id}": {
            "parameters": [{"$ref": "#/components/parameters/Id"}],
            "put": {
                "summary": "Change an order.",
                "parameters": [
                    {"name": "dry_run", "in": "query", "schema": {"type": "boolean", "nullable": True}},
                    {"name": "id", "in": "header", "schema": {"type": "string"}},
                ],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
                },
            },
            "get": {"operationId": "orders.read", "description": "Read an order."},
        }
    },
    "components": {
        "parameters": {"Id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}},
        "schemas": {
            "Order": {
                "type": "object",
                "required": ["lines"],
                "properties": {"lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}}},
            },
            "Line": {
                "type": "object",
                "properties": {
                    "sku": {"type": "string"},
                    "amount": {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
                    "parts": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
                },
            },
        },
    },
}


def convert(amount: float, rate: float) -> float:
    """Convert an amount."""
    return amount * rate


@pytest.fixture
def registry(embedder: Any) -> ToolRegistry:
    return ToolRegistry({"tools": {"max_tools": 3, "min_tokens": 0}}, embedder=embedder)


def parameters(registry: ToolRegistry, name: str) -> dict[str, Any]:
    return dict(registry.tool(name)["function"]["parameters"])


def accepts(schema: dict[str, Any], value: Any) -> bool:
    Draft202012Validator.check_schema(schema)
    return bool(Draft202012Validator(schema).is_valid(value))


async def test_a_function_becomes_a_tool_by_its_signature_and_docstring(registry: ToolRegistry) -> None:
    """Types are checked, nested models arrive as such, and descriptions come from the docstring."""
    registry.add(measure)
    function = registry.tool("measure")["function"]
    assert function["description"] == "Measure the height of a place above the sea."
    assert function["parameters"]["properties"]["place"]["description"] == "Where, as a point on the map."
    assert function["parameters"]["required"] == ["place"]
    assert await registry.call("measure", '{"place": {"lat": 1.5}, "unit": "ft"}') == "1.5/0.0 ft None"


async def test_async_functions_are_awaited(registry: ToolRegistry) -> None:
    """And constraints written on types hold."""
    registry.add(shout)
    assert await registry.call("shout", {"text": "hi"}) == "HI"
    with pytest.raises(InputError, match=r"invalid arguments of shout: text: String should have at most 5"):
        await registry.call("shout", {"text": "too long"})


@pytest.mark.parametrize("arguments", ["{", "[1]", '{"text": "a", "more": 1}', "{}"])
async def test_wrong_arguments_are_an_error_that_a_model_can_read(registry: ToolRegistry, arguments: str) -> None:
    """No JSON, no object, an unknown argument, a missing one: each names the tool."""
    registry.add(shout)
    with pytest.raises(InputError, match="invalid arguments of shout"):
        await registry.call("shout", arguments)


async def test_a_model_is_a_tool_whose_call_gives_the_instance(registry: ToolRegistry) -> None:
    """Its fields are the arguments."""
    registry.add(Complaint)
    assert await registry.call("Complaint", {"order": "7"}) == Complaint(order="7")
    assert accepts(parameters(registry, "Complaint"), {"order": "7", "severity": 3})
    assert not accepts(parameters(registry, "Complaint"), {"order": "7", "severity": 4})


class Branch(BaseModel):
    """A branch of a tree."""

    leaves: int
    branches: list[Branch] = []


async def test_schemas_that_refer_to_a_definition_show_an_object(registry: ToolRegistry) -> None:
    """Providers refuse a tool whose schema has no type; what refers to itself has none of its own."""
    registry.add(Branch)
    whole = Branch.model_json_schema()
    registry.add_mcp([{"name": "grow", "inputSchema": whole}, {"name": "prune", "inputSchema": {"$ref": "#/$defs/x"}}])
    for name in ("Branch", "grow"):
        schema = parameters(registry, name)
        assert schema["type"] == "object"
        assert set(schema["properties"]) == {"leaves", "branches"}
        for value in ({"leaves": 1, "branches": [{"leaves": 2}]}, {"leaves": 1, "branches": [{}]}, {}):
            assert accepts(schema, value) == accepts(whole, value)
    assert parameters(registry, "prune")["$ref"] == "#/$defs/x"


async def test_a_part_of_a_function_or_a_class_is_typed_as_well(registry: ToolRegistry) -> None:
    """What is already given is no argument; name and description are the function's."""

    @dataclass
    class Spot:
        """Mark a spot."""

        x: int

    registry.add(partial(convert, rate=2.0), Spot)
    assert registry.tool("convert")["function"]["description"] == "Convert an amount."
    assert parameters(registry, "convert")["properties"]["amount"] == {"title": "Amount", "type": "number"}
    assert await registry.call("convert", {"amount": 3}) == 6.0
    assert parameters(registry, "Spot")["properties"]["x"]["type"] == "integer"
    with pytest.raises(InputError, match="x: Input should be a valid integer"):
        await registry.call("Spot", {"x": "near"})


async def test_mcp_tools_come_as_mappings_or_objects(registry: ToolRegistry) -> None:
    """Their calls go to the handler under their own names."""
    registry.add_mcp(
        [McpTool("docs.search", "Search the docs."), {"name": "ping", "inputSchema": {"type": "object"}}],
        handler=lambda name, arguments: (name, arguments),
    )
    assert registry.names == ("docs_search", "ping")
    assert await registry.call("docs_search", {"q": "x"}) == ("docs.search", {"q": "x"})
    assert parameters(registry, "ping") == {"type": "object", "properties": {}}


async def test_an_openapi_document_gives_a_tool_for_each_operation(registry: ToolRegistry) -> None:
    """Path, query, header and body are arguments; references are followed, recursive ones too."""
    registry.add_openapi(SHOP, send=lambda call: call)
    assert registry.names == ("orders_read", "put_orders_id")
    schema = parameters(registry, "put_orders_id")
    line = {"sku": "a", "amount": 1, "parts": [{"amount": 2}]}
    fits = {"id_path": "7", "dry_run": None, "body": {"lines": [line]}}
    assert accepts(schema, fits)
    assert not accepts(schema, {**fits, "body": {"lines": [{"amount": 0}]}})
    assert not accepts(schema, {"id_path": "7"})
    assert await registry.call("put_orders_id", {**fits, "dry_run": True, "id_header": "h"}) == HttpCall(
        method="PUT", path="/orders/7", query={"dry_run": True}, headers={"id": "h"}, body=fits["body"],
        content_type="application/json",
    )  # fmt: skip
    assert (await registry.call("orders_read", {"id": "a b"})).path == "/orders/a%20b"


async def test_a_body_is_what_it_must_be_and_nothing_else(registry: ToolRegistry) -> None:
    """A required one that is missing is named; a parameter that is called body is none."""
    registry.add_openapi(SHOP, send=lambda call: call)
    with pytest.raises(InputError, match="'body' is a required property"):
        await registry.call("put_orders_id", {"id_path": "7"})
    with pytest.raises(InputError, match=r"unknown: lines; known: id_path, .*body"):
        await registry.call("put_orders_id", {"id_path": "7", "body": {"lines": []}, "lines": []})
    named = [{"name": "body", "in": "query", "schema": {"type": "string"}}]
    document = {"openapi": "3.1.0", "paths": {"/cars": {"get": {"operationId": "cars", "parameters": named}}}}
    registry.add_openapi(document, send=lambda call: call)
    assert await registry.call("cars", {"body_query": "van"}) == HttpCall(
        method="GET", path="/cars", query={"body": "van"}
    )


def test_what_cannot_be_read_is_said_at_once(registry: ToolRegistry) -> None:
    """A path that lies elsewhere (a path within the document is followed), a function without a signature."""
    item = {"get": {"operationId": "look"}}
    registry.add_openapi(
        {
            "openapi": "3.1.0",
            "paths": {"/a": {"$ref": "#/components/pathItems/A"}},
            "components": {"pathItems": {"A": item}},
        }
    )
    assert registry.names == ("look",)
    with pytest.raises(InputError, match="can't follow"):
        registry.add_openapi({"openapi": "3.1.0", "paths": {"/a": {"$ref": "other.yaml"}}})
    with pytest.raises(InputError, match="max has no signature"):
        registry.add(max)


PICTURE = {"type": "object", "required": ["file"], "properties": {"file": {"type": "string", "format": "binary"}}}
LOGIN = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}


@pytest.mark.parametrize(
    ("content", "sent_as", "fits", "unfit"),
    [
        ({MULTIPART: {"schema": PICTURE}}, MULTIPART, {"file": "…"}, {}),
        ({FORM: {"schema": LOGIN}}, FORM, {"name": "a"}, {}),
        ({"text/plain": {}}, "text/plain", "a note", 3),
        ({"application/xml": {}, MULTIPART: {"schema": PICTURE}, "application/json": {"schema": LOGIN}},
         "application/json", {"name": "a"}, {"file": "…"}),
    ],
)  # fmt: skip
async def test_a_body_may_be_a_form_or_a_text(content: Any, sent_as: str, fits: Any, unfit: Any) -> None:
    """Who sends the call is told what to send it as; where a body may be JSON, it is."""
    operation = {"operationId": "put", "requestBody": {"required": True, "content": content}}
    registry = ToolRegistry()
    registry.add_openapi({"openapi": "3.0.3", "paths": {"/x": {"post": operation}}}, send=lambda call: call)
    schema = parameters(registry, "put")
    assert accepts(schema, {"body": fits})
    assert not accepts(schema, {"body": unfit})
    assert not accepts(schema, {})
    call = await registry.call("put", {"body": fits})
    assert (call.body, call.content_type) == (fits, sent_as)


async def test_what_is_sent_accepts_what_the_whole_schema_does(registry: ToolRegistry) -> None:
    """The compressed form of a recursive schema still is one."""
    registry.add_openapi(SHOP)
    sent = {tool["function"]["name"]: tool["function"]["parameters"] for tool in await registry.for_request([])}
    fits = {"id_path": "7", "body": {"lines": [{"parts": [{"sku": "b"}]}]}}
    wrong = {"id_path": "7", "body": {"lines": [{"parts": [{"sku": 5}]}]}}
    assert accepts(dict(sent["put_orders_id"]), fits)
    assert not accepts(dict(sent["put_orders_id"]), wrong)


async def test_only_what_is_chosen_is_built(registry: ToolRegistry, catalogue: Any) -> None:
    """Schemas of tools that aren't sent are never made; those that are, once."""
    registry.add(measure, shout, Complaint)
    registry.add_mcp(catalogue)
    question = [{"role": "user", "content": "Book a flight to Oslo"}]
    tools = await registry.for_request(question)
    names = [tool["function"]["name"] for tool in tools]
    assert len(names) == 3
    assert "book_flight" in names
    assert registry.built == set(names)
    assert await registry.for_request(question) == tools
    called = [
        *question,
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "shout", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "!"},
    ]
    assert "shout" in [tool["function"]["name"] for tool in await registry.for_request(called)]


async def test_mistakes_are_named(registry: ToolRegistry) -> None:
    """A taken or unknown name, arguments that models can't give, no handler, no OpenAPI document."""
    registry.add(shout)
    registry.add_mcp([McpTool("silent", "")])
    with pytest.raises(InputError, match="there is a tool shout already"):
        registry.add(shout)
    with pytest.raises(InputError, match="there is no tool gone"):
        registry.tool("gone")
    with pytest.raises(InputError, match="can't be given by name"):
        registry.add(lambda *values: values)
    with pytest.raises(InputError, match="silent was added without"):
        await registry.call("silent", {})
    with pytest.raises(InputError, match="not an OpenAPI 3 document"):
        registry.add_openapi({"swagger": "2.0"})


@pytest.mark.parametrize(
    "text",
    [
        "Do it.\n\nArgs:\n    a (int): First\n        thing.\n    b: Second.\n\nReturns:\n    c: no argument",
        "Do it.\n\nParameters\n------\na : int\n    First\n    thing.\nb : str\n    Second.\n\nReturns\n-----\nc : x",
        "Do it.\n\n:param int a: First thing.\n:param b: Second.\n:returns: c",
    ],
    ids=["google", "numpy", "sphinx"],
)
def test_docstrings_of_every_common_form_are_read(text: str) -> None:
    """The same from each."""
    assert read_docstring(text) == ("Do it.", {"a": "First thing.", "b": "Second."})


async def test_conversation_needs_no_tools(catalogue: Any) -> None:
    """A greeting gets none, unless one is forced; what is wanted later gets its tools."""
    registry = ToolRegistry({"tools": {"max_tools": 3}})
    registry.add_mcp(catalogue)
    hello = [{"role": "user", "content": "Hi"}]
    assert await registry.for_request(hello) == []
    forced = {"type": "function", "function": {"name": "play_music"}}
    assert "play_music" in named(await registry.for_request(hello, tool_choice=forced))
    asked = [*hello, {"role": "assistant", "content": "Hi!"}, {"role": "user", "content": "Refund the payment"}]
    assert "refund_payment" in named(await registry.for_request(asked))


def named(tools: list[Any]) -> list[str]:
    return [tool["function"]["name"] for tool in tools]


async def test_lists_are_the_callers_to_change(registry: ToolRegistry) -> None:
    """What comes out is a copy."""
    registry.add(shout)
    (tool,) = await registry.for_request([])
    before = json.dumps(tool)
    tool["function"]["parameters"]["properties"].clear()  # type: ignore[index]
    assert json.dumps((await registry.for_request([]))[0]) == before


async def test_what_list_tools_gives_and_what_cannot_be_added() -> None:
    """The result of an MCP session's ``list_tools()`` can be added as it is; anything else is a clear error."""
    registry = ToolRegistry()
    listed = mcp.ListToolsResult(tools=[mcp.Tool(name="read", inputSchema={"type": "object"})])
    registry.add_mcp(listed)
    assert registry.names == ("read",)
    with pytest.raises(InputError, match="a function or a pydantic model is needed; got 3"):
        registry.add(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="not an OpenAPI 3 document"):
        registry.add_openapi([])  # type: ignore[arg-type]


async def test_an_operation_is_not_called_without_what_it_needs() -> None:
    """No request goes out with a hole in its path: the model is told what is missing."""
    parameters = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    operation = {"operationId": "read", "parameters": parameters}
    registry = ToolRegistry()
    registry.add_openapi({"openapi": "3.1.0", "paths": {"/books/{id}": {"get": operation}}}, send=lambda call: call)
    with pytest.raises(InputError, match="invalid arguments of read: 'id' is a required property"):
        await registry.call("read", {})
    assert (await registry.call("read", {"id": "a b"})).path == "/books/a%20b"


def _api(**operation: Any) -> dict[str, Any]:
    """A document of a good operation and of one with *operation*'s members."""
    paths = {"/good": {"get": {"operationId": "good"}}, "x-owner": "us", "/bad": {"post": operation}}
    return {"openapi": "3.1.0", "paths": paths}


@pytest.mark.parametrize(
    ("operation", "told"),
    [
        ({"parameters": ["id"]}, "post /bad: an object is needed; got 'id'"),
        ({"parameters": {"name": "id"}}, "`parameters` has to be a list"),
        ({"parameters": [{"in": "query"}]}, "a parameter needs a `name`"),
        ({"parameters": [{"name": "id", "in": "elsewhere"}]}, "a parameter needs a `name`, and `in`"),
        ({"parameters": [{"name": "id", "in": "query", "schema": {"type": "strnig"}}]}, "id.type: 'strnig'"),
        ({"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/X"}}}}}, "nowhere"),
        ({"requestBody": {"content": {"application/json": {"schema": {"$ref": "x.yaml"}}}}}, "can't follow"),
        ({"requestBody": {"content": ["application/json"]}}, "an object is needed"),
        ({"operationId": "good"}, "there is a tool good already"),
    ],
)
def test_a_bad_document_leaves_the_registry_as_it_was(operation: dict[str, Any], told: str) -> None:
    """The error names operation and fault; without them, the same document is taken whole."""
    registry = ToolRegistry()
    with pytest.raises(InputError, match=told):
        registry.add_openapi(_api(**operation))
    assert registry.names == ()
    registry.add_openapi(_api())
    assert registry.names == ("good", "post_bad")


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ({"name": "x", "inputSchema": "none"}, "x: no JSON schema: 'none'"),
        ({"name": "x", "inputSchema": {"type": "array"}}, "its schema has the type 'array'"),
        ({"name": "x", "inputSchema": {"properties": {"a": 5}}}, "no JSON schema: properties.a: 5 is not"),
        ({"name": "x", "inputSchema": {"required": "a"}}, "no JSON schema: required"),
        ({"description": "nameless"}, "a tool needs a name"),
        (None, "a tool needs a name"),
        ({"name": "good"}, "there is a tool good already"),
    ],
)
def test_bad_mcp_tools_leave_the_registry_as_it_was(bad: Any, told: str) -> None:
    """None of a list is added where one can't be."""
    registry = ToolRegistry()
    with pytest.raises(InputError, match=told):
        registry.add_mcp([{"name": "good"}, bad])
    with pytest.raises(InputError, match="a list of tools is needed"):
        registry.add_mcp("good")
    with pytest.raises(InputError, match="there is a tool shout already"):
        registry.add(shout, shout)
    assert registry.names == ()


async def test_values_of_described_tools_are_checked(registry: ToolRegistry) -> None:
    """Types, bounds and allowed values hold for MCP and OpenAPI as they do for functions, inside objects too."""
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}, "m": {"enum": ["a", "b"]}}}
    registry.add_mcp([{"name": "count", "inputSchema": schema}], handler=lambda name, arguments: arguments)
    registry.add_openapi(SHOP, send=lambda call: call)
    for wrong, told in (({"n": "1"}, "n: '1' is not of type"), ({}, "'n' is a required"), ({"n": 1, "m": "c"}, "m: ")):
        with pytest.raises(InputError, match=f"invalid arguments of count: {told}"):
            await registry.call("count", wrong)
    assert await registry.call("count", {"n": 1, "m": "a"}) == {"n": 1, "m": "a"}
    with pytest.raises(InputError, match=r"body\.lines\[0\]\.amount: 0 is less than or equal to"):
        await registry.call("put_orders_id", {"id_path": "7", "body": {"lines": [{"amount": 0}]}})


async def test_lists_of_items_are_read_as_they_were_meant() -> None:
    """In the form of older versions, which many servers still send without naming one."""
    pair = {"type": "array", "items": [{"type": "string"}, {"type": "integer"}]}
    registry = ToolRegistry()
    registry.add_mcp([{"name": "put", "inputSchema": {"properties": {"p": pair}}}], handler=lambda name, given: given)
    assert await registry.call("put", {"p": ["a", 1]}) == {"p": ["a", 1]}
    with pytest.raises(InputError, match=r"p\[1\]: 'b' is not of type 'integer'"):
        await registry.call("put", {"p": ["a", "b"]})


async def test_what_cannot_be_checked_goes_on() -> None:
    """A pattern that Python doesn't know, and a reference into the internet, which is never asked."""
    odd = {"a": {"pattern": r"^\p{L}+$"}, "b": {"$ref": "http://127.0.0.1:1/b.json"}}
    registry = ToolRegistry()
    registry.add_mcp([{"name": "odd", "inputSchema": {"properties": odd}}], handler=lambda name, arguments: arguments)
    assert await registry.call("odd", {"a": "\u00e9", "b": 1}) == {"a": "\u00e9", "b": 1}


def test_long_names_stay_apart(registry: ToolRegistry) -> None:
    """Those of two operations that differ only at their end, as generators of documents make them."""
    long = "change_the_role_of_a_member_api_v1_organisations__id__members__member__role"
    paths = {"/role": {method: {"operationId": f"{long}_{method}"} for method in ("put", "delete")}}
    registry.add_openapi({"openapi": "3.1.0", "paths": paths})
    assert len(registry) == 2
    assert all(len(name) == 64 for name in registry.names)
