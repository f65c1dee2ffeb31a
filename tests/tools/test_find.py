"""The tool by which the model finds those that were left out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.own import Asked
from litellm_tokenopt.request import ChatRequest
from litellm_tokenopt.tokens import count_text
from litellm_tokenopt.tools.find import LISTED_LEAST, LISTED_TOKENS, FindTools, line, listed_tokens, listing


def tool(name, description="Does it."):
    return {"type": "function", "function": {"name": name, "description": description, "parameters": {}}}


TOOLS = (tool("mail_send"), tool("mail_list", "Lists mails. Newest first."), tool("think"), tool("map_route"))


async def backwards(query):
    return [3, 2, 1, 0]


def ask(finder, query, there=("think",)):
    request = ChatRequest(model="m", messages=(), tools=TOOLS)
    sent = request.with_(tools=tuple(t for t in TOOLS if t["function"]["name"] in there))
    return finder.answer(Asked(original=request, sent=sent, arguments={"query": query}))


async def test_the_best_of_the_rest_are_found():
    """In the ranker's order, with a line each; what is there already is not found again."""
    found = await ask(FindTools(TOOLS, (0, 1, 3), backwards, TOOLS.__getitem__), "anything")
    assert [t["function"]["name"] for t in found.tools] == ["map_route", "mail_list", "mail_send"]
    assert "- mail_list: Lists mails." in found.text
    assert "Newest first" not in found.text


async def test_a_name_in_the_query_comes_first():
    """Whatever the ranker says; case doesn't matter."""
    found = await ask(FindTools(TOOLS, (0, 1, 3), backwards, TOOLS.__getitem__), "use MAIL_SEND please")
    assert found.tools[0] == TOOLS[0]


async def test_a_tool_that_is_there_is_named_as_such():
    """So that the model doesn't look for it again."""
    found = await ask(FindTools(TOOLS, (0, 1, 3), backwards, TOOLS.__getitem__), "think")
    assert found.text.startswith("You have think already.")


async def test_nothing_left_is_said():
    """No empty list."""
    found = await ask(FindTools(TOOLS, (0,), backwards, TOOLS.__getitem__), "mail", there=("mail_send",))
    assert (found.tools, found.text) == ((), "There are no more tools.")


def test_names_are_listed_by_their_beginnings():
    """Single ones last."""
    assert listing(["mcp__git__log", "mcp__git__add", "think", "webSearch", "webOpen"]) == (
        "mcp__git__: log, add; web: Search, Open; other: think"
    )


def test_long_lists_are_cut_evenly():
    """Every group keeps its name, and says how many more there are."""
    names = [f"{group}_{verb}_thing" for group in ("mail", "map") for verb in range(40)]
    text = listing(names, 60)
    assert count_text(text) <= 60
    assert text.startswith("mail_: 0_thing, ")
    assert text.count("(+") == 2


@given(st.lists(st.text(st.characters(codec="ascii", categories=("L", "N", "Pc")), min_size=1, max_size=64)))
def test_any_names_fit(names):
    """The list never takes more than its share, and is the same for the same names."""
    assert count_text(listing(names, 50)) <= 50
    assert listing(names, 50) == listing(list(names), 50)


def test_a_tools_line_is_short():
    """Its first sentence, or the start of it."""
    assert line(tool("a", "word " * 100)).endswith(" …")
    assert len(line(tool("a", "word " * 100))) < 140
    assert line(tool("a", "")) == "- a"


def test_a_list_of_small_tools_is_short() -> None:
    """It takes a small share of what the tools would, within bounds."""
    assert listed_tokens(400) == LISTED_LEAST
    assert LISTED_LEAST < listed_tokens(16_000) < LISTED_TOKENS
    assert listed_tokens(10**6) == LISTED_TOKENS
