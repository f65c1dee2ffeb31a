"""The recording model server, asked by the providers' own clients."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from openai import BadRequestError, OpenAI

from litellm_tokenopt.evaluation.model_server import ModelServer
from litellm_tokenopt.evaluation.script import default_answer

QUESTION = "Where is order FH-2026-004182?"
SCRIPT = {
    QUESTION: [
        {"calls": [{"name": "get_order", "arguments": {"order_id": "FH-2026-004182", "note": "näch Łódź"}}]},
        "It was  shipped\non 12 March.",
    ]
}
FINAL = "It was  shipped\non 12 March."
LONG = "The parcel left the Leeds warehouse on the twelfth of March. " * 150


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with ModelServer(SCRIPT) as running:
        yield running


@pytest.fixture
def openai(server: ModelServer) -> OpenAI:
    return OpenAI(base_url=server.base_url, api_key="key", max_retries=0)


@pytest.fixture
def anthropic(server: ModelServer) -> Anthropic:
    return Anthropic(base_url=server.url, api_key="key", max_retries=0)


def asked(text: str = QUESTION) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def test_chat_calls_a_tool_and_then_answers(openai: OpenAI) -> None:
    """The scripted replies come one by one, as tool results are sent back."""
    first = openai.chat.completions.create(model="m", messages=asked())
    call = first.choices[0].message.tool_calls[0]
    assert (first.choices[0].finish_reason, call.function.name) == ("tool_calls", "get_order")
    assert json.loads(call.function.arguments)["note"] == "näch Łódź"
    result = {"role": "tool", "tool_call_id": call.id, "content": "shipped"}
    messages = [*asked(), first.choices[0].message.to_dict(), result]
    second = openai.chat.completions.create(model="m", messages=messages)
    assert (second.choices[0].finish_reason, second.choices[0].message.content) == ("stop", FINAL)


def test_chat_streams_what_it_says_plain(openai: OpenAI) -> None:
    """Joined chunks give the plain reply again, tool calls and usage included."""
    stream = list(
        openai.chat.completions.create(model="m", messages=asked(), stream=True, stream_options={"include_usage": True})
    )
    deltas = [c.choices[0].delta.tool_calls[0] for c in stream if c.choices and c.choices[0].delta.tool_calls]
    arguments = "".join(delta.function.arguments or "" for delta in deltas)
    assert (deltas[0].function.name, json.loads(arguments)["order_id"]) == ("get_order", "FH-2026-004182")
    assert stream[-1].usage.prompt_tokens > 0
    plain = openai.chat.completions.create(model="m", messages=asked("Hi\nthere"))
    chunks = openai.chat.completions.create(model="m", messages=asked("Hi\nthere"), stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == plain.choices[0].message.content == default_answer("Hi\nthere")


def test_responses_calls_a_tool_and_then_answers(openai: OpenAI) -> None:
    """The responses API walks through the same script."""
    first = openai.responses.create(model="m", input=asked(), instructions="Be brief.")
    call = first.output[0]
    assert (call.type, call.name) == ("function_call", "get_order")
    items = [
        *asked(),
        {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments},
        {"type": "function_call_output", "call_id": call.call_id, "output": "shipped"},
    ]
    assert openai.responses.create(model="m", input=items).output_text == FINAL


@pytest.mark.parametrize("question", [QUESTION, "And another one?"])
def test_responses_stream_ends_in_the_plain_response(openai: OpenAI, question: str) -> None:
    """Events are numbered, and the completed response is the one that a plain call gives."""
    plain = openai.responses.create(model="m", input=question)
    events = list(openai.responses.create(model="m", input=question, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].type == "response.completed"
    assert events[-1].response.output == plain.output
    with openai.responses.stream(model="m", input=question) as stream:
        assert stream.get_final_response().output_text == plain.output_text


def test_messages_calls_a_tool_and_then_answers(anthropic: Anthropic) -> None:
    """The messages API walks through the same script; tool results are blocks of user messages there."""
    first = anthropic.messages.create(model="m", max_tokens=100, system="Be brief.", messages=asked())
    use = first.content[0]
    assert (first.stop_reason, use.type, use.input["note"]) == ("tool_use", "tool_use", "näch Łódź")
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "shipped"}
    messages = [
        *asked(),
        {"role": "assistant", "content": [use.to_dict()]},
        {"role": "user", "content": [result]},
    ]
    second = anthropic.messages.create(model="m", max_tokens=100, messages=messages)
    assert (second.stop_reason, second.content[0].text) == ("end_turn", FINAL)


@pytest.mark.parametrize("question", [QUESTION, "And another one?"])
def test_messages_stream_adds_up_to_the_plain_message(anthropic: Anthropic, question: str) -> None:
    """Anthropic's client joins the events to the very message that a plain call gives."""
    plain = anthropic.messages.create(model="m", max_tokens=100, messages=asked(question))
    with anthropic.messages.stream(model="m", max_tokens=100, messages=asked(question)) as stream:
        joined = stream.get_final_message()
    assert [block.to_dict() for block in joined.content] == [block.to_dict() for block in plain.content]
    assert joined.stop_reason == plain.stop_reason


def test_prompt_cache_is_read_where_a_prefix_returns(openai: OpenAI) -> None:
    """A second request that begins as the first did reads that prefix from the cache; a changed start reads nothing."""
    head = [{"role": "system", "content": LONG}]
    first = openai.chat.completions.create(model="m", messages=[*head, *asked("a")]).usage
    second = openai.chat.completions.create(model="m", messages=[*head, *asked("b")]).usage
    other = openai.chat.completions.create(model="m", messages=[{"role": "system", "content": "x" + LONG}]).usage
    assert first.prompt_tokens_details.cached_tokens == 0
    assert 1024 <= second.prompt_tokens_details.cached_tokens < second.prompt_tokens
    assert other.prompt_tokens_details.cached_tokens == 0


def test_every_request_is_recorded(server: ModelServer, openai: OpenAI) -> None:
    """What was sent can be read in process, and over HTTP from others."""
    start = len(server.recorded)
    openai.chat.completions.create(model="m", messages=asked("recorded?"), temperature=0)
    assert server.bodies[-1]["messages"] == asked("recorded?")
    over_http = httpx.get(f"{server.url}/recorded", params={"from": start}).json()
    assert [(entry["api"], entry["body"]["temperature"]) for entry in over_http] == [("chat", 0)]


def test_equal_requests_get_equal_bytes(server: ModelServer) -> None:
    """Nothing in a reply depends on the time or on chance (the prompt cache's count aside)."""
    body = {"model": "m", "messages": asked("same")}
    replies = [httpx.post(f"{server.base_url}/chat/completions", json=body).content for _ in range(2)]
    assert replies[0] == replies[1]


def test_a_bad_body_is_refused(server: ModelServer, openai: OpenAI) -> None:
    """A body that is no JSON object gets a 400 with OpenAI's error form."""
    response = httpx.post(f"{server.base_url}/chat/completions", content=b"[1]")
    assert (response.status_code, response.json()["error"]["type"]) == (400, "invalid_request_error")
    with pytest.raises(BadRequestError):
        openai.post("/chat/completions", body=[1], cast_to=object)


def test_models_are_listed(openai: OpenAI) -> None:
    """``/v1/models`` answers, as clients ask for it at start."""
    assert [model.id for model in openai.models.list()] == ["recording"]


def test_it_runs_as_a_process(tmp_path: Any) -> None:
    """The command prints its base URL, reads a script, and records to a file."""
    script, record = tmp_path / "script.json", tmp_path / "requests.jsonl"
    script.write_text(json.dumps({"Hi?": "Hello."}))
    command = [sys.executable, "-m", "litellm_tokenopt.evaluation.model_server"]
    process = subprocess.Popen(
        [*command, "--script", str(script), "--record", str(record)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        client = OpenAI(base_url=process.stdout.readline().strip(), api_key="key")
        reply = client.chat.completions.create(model="m", messages=asked("Hi?"))
        assert reply.choices[0].message.content == "Hello."
        assert json.loads(record.read_text())["body"]["messages"] == asked("Hi?")
    finally:
        process.terminate()
        process.wait(10)


def test_a_bad_script_is_a_clear_error(tmp_path: Any) -> None:
    """A script that can't be read ends the command with one line that says why."""
    script = tmp_path / "script.json"
    script.write_text('{"Hi?": [5]}')
    command = [sys.executable, "-m", "litellm_tokenopt.evaluation.model_server", "--script", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "a reply is a text or a mapping" in done.stderr
