"""What a user marks with ``<keep>`` is sent as it is, whatever the question."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.convert import border_of
from litellm_tokenopt.optimizer import TokenOptimizer
from litellm_tokenopt.prompt import PromptStage
from litellm_tokenopt.prompt.tags import untagged, without_tags
from litellm_tokenopt.request import ChatRequest, text_of
from litellm_tokenopt.stage import Change
from litellm_tokenopt.tokens import count_text

from .conftest import long_prompt

INLINE = "<keep>Kayaks: 🎯 **red** ones   \n\n\n\n---\nare never lent.</keep>"
LINES = "<keep>\n# Kayaks\n\n- a  \n- a  \n\n----\n\n\n# Rafts\n\nNone.\n</keep>"


@pytest.mark.parametrize("kept", [INLINE, LINES])
@pytest.mark.parametrize("place", ["## Charts", "## Database"])
@pytest.mark.parametrize("question", ["Who approves a refund of 250 GBP?", "Hello"])
async def test_it_stays_byte_for_byte(
    make_stage: Callable[..., PromptStage], kept: str, place: str, question: str
) -> None:
    """Its headings are none, its repeats and rulers stay, and so do the tags; the rest is chosen from."""
    prompt = long_prompt().replace(place, f"{kept}\n\n{place}")
    messages = ({"role": "system", "content": prompt}, {"role": "user", "content": question})
    verdict = await make_stage()(ChatRequest(model="m", messages=messages))
    assert isinstance(verdict, Change)
    text = text_of(verdict.request.messages[0]["content"])
    assert kept in text
    assert len(text) < len(prompt) / 2


PARTS = [
    "a  b", " \r\n", "\t", "\n\n\n", "# Head", "- 🎉 item  ", "---", "```\nx  \n```", "| a |", "<b>", "</b>", "&nbsp;",
    "<keep>in</keep>", "\u200d\u0301", "\u0130", "\uff11\uff12", "<squeeze ratio=0.2>one. two.</squeeze>", "**x**", "{",
    "Example 4:",
]  # fmt: skip
WRITTEN = st.lists(st.sampled_from(PARTS), min_size=1, max_size=8).map("".join)


@given(WRITTEN, st.sampled_from(["<keep>", '<keep id="a">', "<keep >", "<keep\n>"]), st.sampled_from(["\n\n", " "]))
@settings(max_examples=40, deadline=None)
def test_whatever_is_kept_is_sent(
    make_stage: Callable[..., PromptStage], written: str, opening: str, around: str
) -> None:
    """What is marked reaches the model byte for byte but for tags of ours; the prompt round it is chosen from."""
    prompt = long_prompt().replace("## Charts", f"And{around}{opening}{written}</keep>{around}so on.\n\n## Charts")
    messages = ({"role": "system", "content": prompt}, {"role": "user", "content": "Who approves a refund?"})
    verdict = asyncio.run(make_stage()(ChatRequest(model="m", messages=messages)))
    assert isinstance(verdict, Change)
    sent = text_of(untagged(verdict.request).messages[0]["content"])
    assert without_tags(written) in sent
    assert "keep" not in sent
    assert len(sent) < len(prompt) / 2


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("<keep>a <keep>b  b</keep> c  c</keep>.", "a b  b c  c."),
        ("<keep>a <squeeze>b</keep> c</squeeze>.", "a b c."),
        ("<keep>never closed", "<keep>never closed"),
        ("never opened</keep>", "never opened</keep>"),
        (
            "<keeper>a</keeper> <keep-alive>b</keep-alive> <keep/>",
            "<keeper>a</keeper> <keep-alive>b</keep-alive> <keep/>",
        ),
        ("```\n<keep>a  a</keep>\n```", "```\na  a\n```"),
    ],
)
def test_which_tags_are_ours(text: str, sent: str) -> None:
    """Those with both halves, however they stand in each other."""
    assert without_tags(text) == sent


@given(st.lists(st.sampled_from(["<keep>", "</keep>", "<squeeze ratio=1>", "</squeeze>", "a", " "]), max_size=12))
def test_tags_go_and_nothing_else(pieces: list[str]) -> None:
    """Tags in any order: all else stays, and what is sent has no pair left."""
    sent = without_tags("".join(pieces))
    assert re.sub(r"<[^>]*>", "", sent) == "".join(piece for piece in pieces if "<" not in piece)
    assert without_tags(sent) == sent


async def test_a_request_may_set_its_own_limits(make_stage: Callable[..., PromptStage]) -> None:
    """Budget, headings that stay, and whether anything is chosen at all; what isn't understood counts for nothing."""
    stage = make_stage()

    async def sent(**wishes: object) -> str:
        kwargs = {
            "model": "m", "metadata": {"tokenopt": {"prompt": wishes}},
            "messages": [
                {"role": "system", "content": long_prompt()}, {"role": "user", "content": "Who approves a refund?"},
            ],
        }  # fmt: skip
        border = border_of(kwargs, "chat")
        assert border is not None
        verdict = await stage(border.request)
        return text_of((verdict.request if isinstance(verdict, Change) else border.request).messages[0]["content"])

    usual = await sent()
    assert await sent(budget_tokens="many", always_include="Meetings", enabled=None, colour=3) == usual
    assert await sent(enabled=False) == long_prompt()
    assert count_text(usual) <= 600 < count_text(await sent(budget_tokens=1_200)) <= 1_200
    assert "Step 3 of meetings" not in usual
    assert "Step 3 of meetings" in await sent(always_include=["Meetings"])


@pytest.mark.parametrize(
    ("own", "unread"),
    [
        ({"prompt": {"budget_tokens": 900, "always_include": ["Meetings"], "enabled": True}, "pin": [1, "x"]}, ()),
        ({"prompt": {"budget_tokens": None}, "mode": "on", "tags": ["a"], "bypass": False}, ()),
        (None, ()),
        ("bypass", ("tokenopt",)),
        ({"bypass": "yes", "tags": "a", "pin": 3}, ("tokenopt.bypass", "tokenopt.tags", "tokenopt.pin")),
        ({"prompt": 5}, ("tokenopt.prompt",)),
        (
            {"prompt": {"budget_tokens": "900", "enabled": 0, "always_include": [1]}},
            ("tokenopt.prompt.enabled", "tokenopt.prompt.budget_tokens", "tokenopt.prompt.always_include"),
        ),
        (
            {"prompt": {"budget": 900}},
            ("tokenopt.prompt: a name other than enabled, budget_tokens, always_include",),
        ),
    ],
)
async def test_what_cannot_be_read_is_told(
    own: object, unread: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Each of a request's own controls that says nothing is warned of once, however many requests have it."""
    kwargs = {"model": "m", "metadata": {"tokenopt": own}, "messages": [{"role": "user", "content": "Hello."}]}
    async with TokenOptimizer({"redis": {"url": "memory"}, "mode": "off"}) as optimizer:
        for _ in range(2):
            outcome = await optimizer.before(kwargs)
    assert outcome is not None
    assert outcome.original.controls.unread == unread
    assert [
        record.getMessage().partition(" can't")[0] for record in caplog.records if record.levelname == "WARNING"
    ] == [f"metadata.{name}" for name in unread]
