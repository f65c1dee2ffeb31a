"""The demo's traffic, sent straight to the model server: what the checks find when nothing stands between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI

from litellm_tokenopt.convert import border_of
from litellm_tokenopt.errors import InputError
from litellm_tokenopt.evaluation.agent import Agent, Session, load_agent
from litellm_tokenopt.evaluation.bodies import names_of_results, plain_text, question_of, tool_names
from litellm_tokenopt.evaluation.forms import messages_body, responses_body
from litellm_tokenopt.evaluation.model_server import ModelServer
from litellm_tokenopt.evaluation.traffic import Driver, Exchange, checks_of, first_day, next_morning, other_apis

AGENT = load_agent(Path(__file__).parents[2] / "examples" / "agent")


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    """One session's day and morning, and the other APIs."""
    with (
        ModelServer(AGENT.script()) as server,
        OpenAI(base_url=server.base_url, api_key="key", max_retries=0) as client,
        httpx.Client(base_url=server.base_url) as http,
    ):
        driver = Driver(client, http, "gpt-4o", AGENT.tools, recorded=lambda: server.bodies)
        asked = first_day(driver, AGENT, AGENT.sessions[0])
        for ask in (*next_morning(asked), *other_apis(asked)):
            driver.ask(ask)
    return driver.exchanges


def test_nothing_is_lost_where_nothing_is_changed(exchanges: list[Exchange]) -> None:
    """Every fact and tool reaches the model, and every answer is the scripted one, in all three APIs."""
    checks = checks_of(exchanges)
    assert (checks.facts_found, checks.tools_found, checks.answers_wrong) == (checks.facts_total, checks.tools_total, 0)
    assert checks.facts_total > 40
    assert checks.faults == ()
    assert {(e.ask.surface, e.ask.stream) for e in exchanges} == {
        (surface, stream) for surface in ("chat", "messages", "responses") for stream in (False, True)
    }


def test_agents_call_their_tools_one_by_one(exchanges: list[Exchange]) -> None:
    """A turn with three calls makes four requests, each one longer by a call and its result."""
    turn = max(AGENT.sessions[0].turns, key=lambda turn: len(turn.calls))
    sizes = [len(e.body["messages"]) for e in exchanges if e.ask.turn == turn and e.ask.kind == "first"]
    assert sizes == [sizes[0] + 2 * n for n in range(len(turn.calls) + 1)]


def test_what_is_missing_is_named(exchanges: list[Exchange]) -> None:
    """A fact or tool that didn't reach the model, and an answer to another question, are found."""
    first = next(e for e in exchanges if e.ask.turn.tools and e.ask.turn.evidence)
    bare = {**first.body, "messages": first.body["messages"][-1:], "tools": []}
    other = replace(first.said, message={"role": "assistant", "content": "Something else."})
    checks = checks_of([replace(first, at_model=(bare,)), replace(first, at_model=(), said=other)])
    assert (checks.facts_found, checks.tools_found, checks.answers_wrong) == (0, 0, 1)
    kinds = {fault.split(":")[0] for fault in checks.faults}
    assert kinds == {"fact left out", "tool left out", "wrong answer"}


def test_questions_are_asked_once_the_same_way() -> None:
    """No two questions, rewordings and look-alikes of the agent are the same, and each has its script."""
    asked = [turn.question for turn in AGENT._asked()]
    assert len(set(asked)) == len(asked) == len(AGENT.script())


def sessions() -> Iterator[Any]:
    return (pytest.param(session, id=session.id) for session in AGENT.sessions)


@pytest.mark.parametrize("session", sessions())
def test_the_other_apis_get_the_same_conversation(session: Session) -> None:
    """Converted to another API, a conversation has the same texts, tools and question."""
    system = {"role": "system", "content": AGENT.system_prompt}
    conversation = (system, *session.history, {"role": "user", "content": "And now?"})
    chat = {"messages": conversation, "tools": AGENT.tools}
    for body in (messages_body(conversation, AGENT.tools), responses_body(conversation, AGENT.tools)):
        assert tool_names(body) == tool_names(chat)
        assert (question_of(body), names_of_results(body)) == ("And now?", [])
        for message in session.history:
            assert " ".join((message.get("content") or "").split()) in plain_text(body)
    assert border_of({"model": "m", **messages_body(conversation, AGENT.tools)}, "messages") is not None


def test_a_folder_without_an_agent_is_a_clear_error(tmp_path: Path) -> None:
    """A folder that lacks a file is named."""
    with pytest.raises(InputError, match=str(tmp_path)):
        load_agent(tmp_path)


def test_sessions_can_be_left_out() -> None:
    """An agent with fewer sessions scripts fewer questions."""
    fewer: Agent = replace(AGENT, sessions=AGENT.sessions[:1])
    assert 0 < len(fewer.script()) < len(AGENT.script())
