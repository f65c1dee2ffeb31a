"""Sections about tools come and go with them; what is referred to comes along."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from litellm_tokenopt.prompt import PromptStage
from litellm_tokenopt.prompt.coupling import couple
from litellm_tokenopt.prompt.outline import outline
from litellm_tokenopt.request import ChatRequest, text_of
from litellm_tokenopt.stage import Change

from .conftest import long_prompt, section

TOOLS = frozenset({"create_slide", "send_mail", "list_orders"})
SLIDES = section("Slides", "Call create_slide once for each page, and create_slide again where a page has overflown.")
MAIL = section("How to send mail", "A subject has at most sixty letters.")
ORDERS = section("Order books", "Use list_orders, read by get_row and put_row into sheet_one, sheet_two, sheet_three.")


def ask(prompt: str, question: str, sent: Iterable[str] = (), left_out: Iterable[str] = ()) -> ChatRequest:
    tools = tuple({"type": "function", "function": {"name": name}} for name in sent)
    messages = ({"role": "system", "content": prompt}, {"role": "user", "content": question})
    return ChatRequest(model="m", messages=messages, tools=tools, left_out_tools=frozenset(left_out))


async def text(stage: PromptStage, request: ChatRequest) -> str:
    verdict = await stage(request)
    assert isinstance(verdict, Change)
    return text_of(verdict.request.messages[0]["content"])


def test_a_heading_or_most_identifiers_name_the_tools() -> None:
    """A tool in a heading's words, or as most of the names in a text; general sections are about no tool."""
    found = outline([f"You help.\n\n{SLIDES}{MAIL}{ORDERS}## Safety\n\nsend_mail asks first. send_mail is slow.\n"])
    about = {found.sections[i].title: names for i, names in couple(found, TOOLS).tools.items()}
    assert about == {"Slides": {"create_slide"}, "How to send mail": {"send_mail"}}


async def test_a_section_leaves_with_its_tool(make_stage: Callable[..., PromptStage]) -> None:
    """Room that it would have taken goes to others; it stays where the question is clearly about it."""
    prompt = long_prompt() + SLIDES + MAIL
    question = "Who approves a refund of 250 GBP, when a page of its slip has overflown?"
    stage = make_stage()
    assert "Call create_slide" in await text(stage, ask(prompt, question, sent=["create_slide"]))
    assert "Call create_slide" not in await text(stage, ask(prompt, question, left_out=["create_slide"]))
    about = "Do I create slides again, where a page has overflown?"
    assert "Call create_slide" in await text(stage, ask(prompt, about, left_out=["create_slide"]))


async def test_what_is_referred_to_comes_along(make_stage: Callable[..., PromptStage]) -> None:
    """By number and by heading, where the text that points there is sent."""
    kayaks = "## Kayaks\n\nA kayak is hired out as Section 7.2 says; for deposits see **Petty cash box**.\n\n"
    rivers = section("7.2 Rivers", "The Aire is closed above weir nine.", 2)
    cash = section("Petty cash box", "Forty coins lie in the tin.", 2)
    out = await text(
        make_stage(budget_tokens=1_200), ask(f"{long_prompt()}{kayaks}{rivers}{cash}", "How is a kayak hired out?")
    )
    assert "closed above weir nine" in out
    assert "Forty coins" in out
