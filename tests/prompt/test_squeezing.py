"""Passages that a prompt's author lets be squeezed: by kind, by question, and never below a floor."""

from __future__ import annotations

from typing import Any

import pytest

from litellm_tokenopt.convert import border_of
from litellm_tokenopt.errors import SettingsError
from litellm_tokenopt.models.build import build_embedder, build_importance
from litellm_tokenopt.optimizer import TokenOptimizer
from litellm_tokenopt.prompt.guarded import build_compressor, kind_of
from litellm_tokenopt.prompt.squeezing import Squeezing
from litellm_tokenopt.prompt.stage import PromptStage
from litellm_tokenopt.request import ChatRequest, Controls, PromptControls, Surface, text_of
from litellm_tokenopt.settings import EmbedderSettings, PromptSettings, load_settings
from litellm_tokenopt.stage import Change, Keep

FACTS = (
    "The depot in Ravel opens at 6:40, and as a rule it is rather quiet until the first vans come back. "
    "Keys hang in the grey box beside the door, which was painted by the people of the early shift some time ago. "
    "Mr Sandoval checks the tyres on Mondays, although he would of course prefer to do it on some other day. "
    "Fuel cards have a limit of 90 EUR a day, and everybody who has worked here for a while knows that quite well."
)
PROMPT_OFF = Controls(prompt=PromptControls(enabled=False))
BEFORE, AFTER = "You are Odo, the dispatcher's assistant.\n", "\nAnswer briefly."


def stage(**settings: object) -> Squeezing:
    chosen = PromptSettings.model_validate(settings)
    embedder = build_embedder(EmbedderSettings())
    compressor = build_compressor(chosen, embedder, lambda: build_importance(EmbedderSettings()))
    return Squeezing(PromptStage(chosen, embedder), compressor, chosen.ratios.model_dump())


def asking(prompt: str, *turns: str) -> ChatRequest:
    messages = [{"role": "system", "content": prompt}]
    for turn in turns:
        messages += [{"role": "user", "content": turn}, {"role": "assistant", "content": "Well."}]
    return ChatRequest(surface="chat", model="m", messages=tuple(messages[:-1]))


def tagged(text: str = FACTS, ratio: str = " ratio=0.5") -> str:
    return f"{BEFORE}<squeeze{ratio}>{text}</squeeze>{AFTER}"


async def test_for_a_question() -> None:
    """The sentences that the session's first question asks for stay, and later questions change nothing of that."""
    first = await stage()(asking(tagged(), "How much may I spend on fuel with the card in a day?"))
    assert isinstance(first, Change)
    text = first.request.messages[0]["content"]
    assert text.startswith(BEFORE)
    assert text.endswith(AFTER)
    assert "Fuel cards have a limit of 90 EUR a day" in text
    assert "grey box" not in text
    assert first.detail["squeezed"] == 1
    assert first.detail["compressor"] == "extractive"
    later = await stage()(
        asking(tagged(), "How much may I spend on fuel with the card in a day?", "When does the depot open?")
    )
    assert isinstance(later, Change)
    assert later.request.messages[0] == first.request.messages[0]


async def test_what_must_never_be_done_stays_for_any_question() -> None:
    """A rule in a passage is no less a rule where the question asks for something else."""
    text = FACTS.replace("Mr Sandoval", "Never lend a van to anyone without a licence. Mr Sandoval")
    verdict = await stage()(asking(tagged(text), "How much may I spend on fuel with the card in a day?"))
    assert isinstance(verdict, Change)
    said = verdict.request.messages[0]["content"]
    assert "Never lend a van to anyone without a licence." in said
    assert "Fuel cards have a limit of 90 EUR a day" in said
    assert "grey box" not in said


async def test_without_a_question() -> None:
    """Where the first turn says little, important words stay, and the trace says what was kept."""
    verdict = await stage()(asking(tagged(), "hello"))
    assert isinstance(verdict, Change)
    for piece in ("Ravel", "6:40", "grey box", "Sandoval", "90 EUR"):
        assert piece in verdict.request.messages[0]["content"]
    assert verdict.detail["compressor"] == "tokens"
    assert verdict.detail["kept_facts"] >= 0.7
    assert 0 < verdict.detail["ratio"] < 0.8


@pytest.mark.parametrize("ratio", [" ratio=50%", " ratio=1.5", " ratio=-0.5", " ratio=", " ratio=half", " to=0.5"])
async def test_a_ratio_that_cannot_be(ratio: str, caplog: pytest.LogCaptureFixture) -> None:
    """The tag goes, the passage stays whole, and the log says so once."""
    squeezing = stage()
    for question in ("How much may I spend on fuel with the card in a day?", "hello"):
        verdict = await squeezing(asking(tagged(ratio=ratio), question))
        assert isinstance(verdict, Change)
        assert verdict.request.messages[0]["content"] == BEFORE + FACTS + AFTER
    assert [f"<squeeze{ratio}>" in record.getMessage() for record in caplog.records].count(True) == 1


@pytest.mark.parametrize("ratio", [" ratio=.5", ' ratio="0.5"', " ratio='0.50'", "  ratio = 0.5 "])
async def test_ways_to_write_a_ratio(ratio: str) -> None:
    """With or without quotes, blanks and a leading zero it's the same."""
    question = "How much may I spend on fuel with the card in a day?"
    one, other = await stage()(asking(tagged(), question)), await stage()(asking(tagged(ratio=ratio), question))
    assert isinstance(one, Change)
    assert isinstance(other, Change)
    assert one.request == other.request


@pytest.mark.parametrize("question", ["fuel?", "Fuel card", "sandoval"])
async def test_a_question_of_a_word_or_two(question: str) -> None:
    """It chooses sentences where the passage has the word; a greeting doesn't (see above)."""
    verdict = await stage()(asking(tagged(), question))
    assert isinstance(verdict, Change)
    text = verdict.request.messages[0]["content"]
    assert verdict.detail["compressor"] == "extractive"
    assert ("Mr Sandoval" if question == "sandoval" else "Fuel cards have a limit of 90 EUR") in text
    assert "The depot in Ravel" not in text


ASKED = "How much may I spend on fuel with the card in a day? <keep>mine</keep> <squeeze ratio=0.1>too</squeeze>"


@pytest.mark.parametrize(
    ("surface", "kwargs"),
    [
        ("chat", {"messages": [{"role": "system", "content": tagged()}, {"role": "user", "content": ASKED}]}),
        ("messages", {"system": tagged(), "messages": [{"role": "user", "content": ASKED}], "max_tokens": 9}),
        ("responses", {"instructions": tagged(), "input": ASKED}),
    ],
)
async def test_all_entry_points(surface: Surface, kwargs: dict[str, Any]) -> None:
    """A system prompt is the same wherever it stands; what looks like a tag in a user's words is the user's."""
    border = border_of({"model": "m", **kwargs}, surface)
    assert border is not None
    verdict = await stage()(border.request)
    assert isinstance(verdict, Change)
    system, asked = (text_of(message["content"]) for message in verdict.request.messages)
    assert "Fuel cards have a limit of 90 EUR a day" in system
    assert "grey box" not in system
    assert "<" not in system
    assert asked == ASKED


@pytest.mark.parametrize("asked", ["hello", "How much may I spend on fuel with the card in a day?"])
@pytest.mark.parametrize("ratio", [0.2, 0.5])
async def test_below_the_floor(ratio: float, asked: str) -> None:
    """What would keep less than the floor is sent whole, without its tags, and so at every higher floor."""
    request = asking(tagged(ratio=f" ratio={ratio}"), asked)
    loose = await stage(min_quality=0.0)(request)
    assert isinstance(loose, Change)
    kept = float(loose.detail["kept_facts"])
    for floor in (0.1, 0.3, 0.5, 0.7, 0.9, 1.0):
        verdict = await stage(min_quality=floor)(request)
        assert isinstance(verdict, Change)
        if kept >= floor:
            assert verdict.request.messages == loose.request.messages
            assert (verdict.detail["squeezed"], verdict.detail["kept_facts"]) == (1, kept)
        else:
            assert verdict.request.messages[0]["content"] == BEFORE + FACTS + AFTER
            assert (verdict.detail["squeeze_refused"], verdict.detail["refused_facts"]) == (1, kept)
            assert "kept_facts" not in verdict.detail


async def test_nothing_to_squeeze() -> None:
    """With all of its tokens allowed, a passage stays whole at every floor, and none is said to have been missed."""
    whole = await stage(min_quality=1.0)(asking(tagged(ratio=" ratio=1"), "hello"))
    assert isinstance(whole, Change)
    assert whole.request.messages[0]["content"] == BEFORE + FACTS + AFTER
    assert (whole.detail["squeeze_refused"], "refused_facts" in whole.detail) == (1, False)


async def test_once_and_only_where_allowed() -> None:
    """Without tags nothing is squeezed; what was squeezed once isn't again; of cached prefixes only the tags go."""
    assert isinstance(await stage()(asking(BEFORE + FACTS, "When does it open?")), Keep)
    verdict = await stage()(asking(tagged(), "When does the depot in Ravel open?"))
    assert isinstance(verdict, Change)
    assert isinstance(await stage()(verdict.request), Keep)
    block = {"type": "text", "text": tagged(), "cache_control": {"type": "ephemeral"}}
    cached = ChatRequest(
        surface="chat", model="m",
        messages=({"role": "system", "content": [block]}, {"role": "user", "content": "When does it open?"}),
    )  # fmt: skip
    verdict = await stage()(cached)
    assert isinstance(verdict, Change)
    assert verdict.reason == "untagged"
    assert verdict.request.messages[0]["content"] == [{**block, "text": BEFORE + FACTS + AFTER}]


async def test_the_space_around_what_is_squeezed_stays() -> None:
    """Nothing is glued to what stands before and behind, and a passage in a passage is squeezed with it."""
    inside = f"<keep>Rather  this.</keep> {FACTS}"
    text = (
        f"{BEFORE}\n- <squeeze\n ratio=0.5> {FACTS}  {inside} <squeeze ratio=0.9>{FACTS}</squeeze>\n</squeeze>{AFTER}"
    )
    verdict = await stage()(asking(text, "When does the depot in Ravel open?"))
    assert isinstance(verdict, Change)
    sent = verdict.request.messages[0]["content"]
    assert sent.startswith(f"{BEFORE}\n-  The depot in Ravel")
    assert ".  Rather  this. The depot" in sent
    assert sent.endswith(f"\n{AFTER}")
    assert "squeeze" not in sent


async def test_what_is_to_be_kept_in_what_may_be_squeezed() -> None:
    """``<keep>`` wins inside and around ``<squeeze>``; neither tag is sent."""
    dull = "The people of the early shift painted the door some time ago."
    inside = FACTS.replace("Keys hang", f"<keep>{dull}</keep> Keys hang")
    verdict = await stage()(asking(tagged(inside), "How much may I spend on fuel with the card in a day?"))
    assert isinstance(verdict, Change)
    text = verdict.request.messages[0]["content"]
    assert dull in text
    assert "quite quiet" not in text
    assert "<" not in text
    verdict = await stage()(asking(f"{BEFORE}<keep>{tagged()}</keep>{AFTER}", "How much may I spend on fuel a day?"))
    assert isinstance(verdict, Change)
    assert verdict.request.messages[0]["content"] == BEFORE + BEFORE + FACTS + AFTER + AFTER


@pytest.mark.parametrize("more", [{"options": {"previous_response_id": "r"}}, {"controls": PROMPT_OFF}])
async def test_tags_go_also_where_nothing_is_squeezed(more: dict[str, object]) -> None:
    """Where the prompt is to be left alone, it is sent as it would read without tags."""
    verdict = await stage()(asking(tagged(), "When does it open?").with_(**more))
    assert isinstance(verdict, Change)
    assert verdict.request.messages[0]["content"] == BEFORE + FACTS + AFTER
    assert verdict.reason == "untagged"
    assert isinstance(await stage()(verdict.request), Keep)


async def test_tags_go_also_when_time_is_over() -> None:
    """A request whose stages had no time is sent whole, as it would read without tags."""
    settings = {"redis": {"url": "memory"}, "cache": {"enabled": False}, "time_budget_seconds": 1e-6}
    async with TokenOptimizer(settings) as optimizer:
        asked = asking(f"{tagged()}<keep>Be kind.</keep>", "How much may I spend on fuel with the card in a day?")
        outcome = await optimizer.before({"model": "m", "messages": list(asked.messages)})
    assert outcome is not None
    assert "error:timeout" in [step.verdict.reason for step in outcome.steps]
    assert outcome.changes["messages"][0]["content"] == BEFORE + FACTS + AFTER + "Be kind."


@pytest.mark.parametrize("compressor", ["tokens", "extractive"])
@pytest.mark.parametrize("question", ["hello", "How much may I spend on fuel with the card in a day?"])
@pytest.mark.parametrize(
    "rule",
    [
        "Keys are only ever handed to a driver who shows a licence that is still valid and signs for it.",
        "Vans must be back in the yard by the evening, unless the dispatcher on duty has agreed to something else.",
        "Never lend a van to anyone who comes on foot and without a letter of the customer.",
    ],
)
async def test_rules_are_whole(rule: str, question: str, compressor: str) -> None:
    """A rule that words decide on loses none of them: without its conditions it is another one."""
    verdict = await stage(compressor=compressor, min_quality=0)(asking(tagged(f"{FACTS} {rule}"), question))
    assert isinstance(verdict, Change)
    text = verdict.request.messages[0]["content"]
    assert rule in text
    assert len(text) < 0.8 * len(BEFORE + FACTS + rule + AFTER)


def test_kinds() -> None:
    """Rules, examples and reference are told apart by their sentences; rules stay whole."""
    assert kind_of("You must ask first. Never guess.") == "rules"
    assert kind_of("Example 1: a\nOutput: b\nExample 2: c\nOutput: d") == "examples"
    assert kind_of(FACTS) == "reference"
    assert PromptSettings().ratios.rules == 1


def test_llmlingua_needs_a_model() -> None:
    """A setting that can't work is an error that says what is missing."""
    with pytest.raises(SettingsError, match=r"prompt\.llmlingua_model"):
        load_settings({"prompt": {"compressor": "llmlingua"}})
