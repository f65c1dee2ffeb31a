"""An agent's traffic, sent by the providers' own clients to a proxy, and what came of each request."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..request import Message, Surface, Tool, tool_calls
from ..tokens import count_text
from .agent import Agent, Session, Turn
from .bodies import Body, plain_text, squeezed, tool_names
from .forms import messages_body, responses_body
from .report import Checks

if TYPE_CHECKING:
    import httpx
    from openai import OpenAI

Kind: TypeAlias = Literal["first", "repeat", "reworded", "lookalike"]
Conversation: TypeAlias = tuple[Message, ...]

MAX_STEPS = 8
MAX_OUTPUT_TOKENS = 4096
HEADER_PREFIX = "x-tokenopt-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A turn that a user asks after the conversation `before`, through one of the APIs."""

    session: str
    user: str
    kind: Kind
    turn: Turn
    before: Conversation
    surface: Surface = "chat"
    stream: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The model's reply as the client saw it: a message in chat form, and the proxy's ``x-tokenopt-*`` headers."""

    message: Mapping[str, Any]
    headers: Mapping[str, str]

    @property
    def output_tokens(self) -> int:
        """Tokens of the reply, its calls included."""
        calls = sum(count_text(name) + count_text(arguments) for _, name, arguments in tool_calls(self.message))
        return count_text(self.message.get("content") or "") + calls


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request of an ask: what the client sent, what it got, and what of it reached the model (nothing: a hit)."""

    ask: Ask
    body: Body
    said: Said
    at_model: tuple[Body, ...]

    @property
    def is_last(self) -> bool:
        """Whether the ask ended with this reply."""
        return not self.said.message.get("tool_calls")


class Driver:
    """Sends asks to a proxy, one after another.

    *recorded* gives every body that has reached the model so far; *told* is called after each request.
    """

    def __init__(
        self,
        client: OpenAI,
        http: httpx.Client,
        model: str,
        tools: Sequence[Tool],
        *,
        recorded: Callable[[], Sequence[Body]],
        told: Callable[[Exchange], None] = lambda exchange: None,
    ) -> None:
        self.exchanges: list[Exchange] = []
        self._client = client
        self._http = http
        self._model = model
        self._tools = list(tools)
        self._recorded = recorded
        self._told = told

    def ask(self, ask: Ask) -> Conversation:
        """Ask, answer the model's tool calls by the turn's results, and go on until it answers.

        Returns the whole conversation with the answer.
        """
        messages = [*ask.before, {"role": "user", "content": ask.turn.question}]
        for _ in range(MAX_STEPS):
            said = self._send(ask, messages)
            messages.append(said.message)
            results = list(_results(ask.turn, said.message, messages))
            if not results:
                break
            messages += results
        return tuple(messages)

    def _send(self, ask: Ask, messages: Sequence[Message]) -> Said:
        start = len(self._recorded())
        body = self._body(ask, messages)
        said = _SENDERS[ask.surface](self, body)
        exchange = Exchange(ask=ask, body=body, said=said, at_model=tuple(self._recorded()[start:]))
        self.exchanges.append(exchange)
        self._told(exchange)
        return said

    def _body(self, ask: Ask, messages: Sequence[Message]) -> dict[str, Any]:
        stream = {"stream": True} if ask.stream else {}
        if ask.surface == "messages":
            form = messages_body(messages, self._tools)
            head = {"max_tokens": MAX_OUTPUT_TOKENS, "metadata": {"user_id": ask.user}}
            return {"model": self._model, **form, **head, **stream}
        if ask.surface == "responses":
            return {"model": self._model, **responses_body(messages, self._tools), "user": ask.user, **stream}
        return {
            "model": self._model, "messages": list(messages), "tools": self._tools, "user": ask.user, **stream,
        }  # fmt: skip

    def _chat(self, body: dict[str, Any]) -> Said:
        raw = self._client.chat.completions.with_raw_response.create(**body)
        if body.get("stream"):
            return Said(message=_joined(raw.parse()), headers=_own(raw.headers))
        message = raw.parse().choices[0].message.model_dump(exclude_none=True)
        kept = {key: message[key] for key in ("role", "content", "tool_calls") if message.get(key) is not None}
        return Said(message={"content": None, **kept}, headers=_own(raw.headers))

    def _responses(self, body: dict[str, Any]) -> Said:
        raw = self._client.responses.with_raw_response.create(**body)
        if not body.get("stream"):
            return Said(message=_answer(raw.parse().output_text), headers=_own(raw.headers))
        done = [event.response for event in raw.parse() if event.type == "response.completed"]
        return Said(message=_answer(done[-1].output_text), headers=_own(raw.headers))

    def _messages(self, body: dict[str, Any]) -> Said:
        """Anthropic's API by plain HTTP, so that no client of theirs is needed."""
        response = self._http.post("/messages", json=body)
        response.raise_for_status()
        if body.get("stream"):
            events = [json.loads(line[5:]) for line in response.text.splitlines() if line.startswith("data:")]
            deltas = [event["delta"] for event in events if event.get("type") == "content_block_delta"]
            text = "".join(delta.get("text", "") for delta in deltas)
        else:
            text = "".join(block.get("text", "") for block in response.json()["content"])
        return Said(message=_answer(text), headers=_own(response.headers))


_SENDERS: Mapping[Surface, Callable[[Driver, dict[str, Any]], Said]] = {
    "chat": Driver._chat,
    "messages": Driver._messages,
    "responses": Driver._responses,
}


def _answer(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _own(headers: Mapping[str, str]) -> dict[str, str]:
    return {key.lower(): value for key, value in headers.items() if key.lower().startswith(HEADER_PREFIX)}


def _joined(stream: Iterable[Any]) -> Message:
    """The message that a chat stream says."""
    text: list[str] = []
    calls: dict[int, dict[str, Any]] = {}
    for delta in (chunk.choices[0].delta for chunk in stream if chunk.choices):
        text.append(delta.content or "")
        for part in delta.tool_calls or ():
            call = calls.setdefault(
                part.index, {"id": part.id, "type": "function", "function": {"name": "", "arguments": ""}}
            )
            call["function"]["name"] += part.function.name or ""
            call["function"]["arguments"] += part.function.arguments or ""
    message = _answer("".join(text))
    return {**message, "tool_calls": [calls[index] for index in sorted(calls)]} if calls else message


def _results(turn: Turn, message: Message, messages: Sequence[Message]) -> Iterator[Message]:
    """The scripted result of each call: the n-th call of a tool after the question gets its n-th result."""
    asked = max(index for index, item in enumerate(messages) if item["role"] == "user")
    called = [name for item in messages[asked:-1] for _, name, _ in tool_calls(item)]
    for call_id, name, _ in tool_calls(message):
        known = [call.result for call in turn.calls if call.name == name]
        at = called.count(name)
        called.append(name)
        content = known[at] if at < len(known) else f"error: no such tool: {name}"
        yield {"role": "tool", "tool_call_id": call_id, "content": content}


# --- a day, and the next morning ------------------------------------------------------------------------------


def first_day(driver: Driver, agent: Agent, session: Session) -> list[Ask]:
    """Ask a session's turns one after another, and its standing questions; returns what was asked."""
    conversation: Conversation = ({"role": "system", "content": agent.system_prompt}, *session.history)
    asks: list[Ask] = []
    for question in session.questions:
        asks.append(_ask(session, question, conversation))
        driver.ask(asks[-1])
    for turn in session.turns:
        asks.append(_ask(session, turn, conversation))
        conversation = driver.ask(asks[-1])
    return asks


def next_morning(asked: Sequence[Ask]) -> list[Ask]:
    """The asks of the next day: standing questions again, literally, reworded, and as look-alikes; one turn again."""
    standing = [ask for ask in asked if ask.turn.lookalikes]
    turns = [ask for ask in asked if not ask.turn.lookalikes]
    return [
        *(_again(ask, "repeat", ask.turn) for ask in standing),
        *(_again(ask, "reworded", ask.turn.asked(text)) for ask in standing for text in ask.turn.reworded),
        *(_again(ask, "lookalike", ask.turn.asked(*other)) for ask in standing for other in ask.turn.lookalikes),
        *(_again(ask, "repeat", ask.turn) for ask in turns[:1]),
    ]


def other_apis(asked: Sequence[Ask]) -> list[Ask]:
    """A standing question by each other API and as streams, each of them twice."""
    question = next(ask for ask in asked if not ask.turn.calls)
    ways: tuple[tuple[Surface, bool], ...] = (
        ("messages", False), ("responses", False), ("chat", True), ("messages", True), ("responses", True),
    )  # fmt: skip
    kinds: tuple[Kind, Kind] = ("first", "repeat")
    return [
        Ask(
            session=question.session, user=f"{question.user}-{surface}{'-stream' * stream}", kind=kind,
            turn=question.turn, before=question.before, surface=surface, stream=stream,
        )
        for surface, stream in ways
        for kind in kinds
    ]  # fmt: skip


def _ask(session: Session, turn: Turn, before: Conversation) -> Ask:
    return Ask(session=session.id, user=session.user, kind="first", turn=turn, before=before)


def _again(ask: Ask, kind: Kind, turn: Turn) -> Ask:
    return Ask(session=ask.session, user=ask.user, kind=kind, turn=turn, before=ask.before)


# --- what must not be lost ------------------------------------------------------------------------------------


def checks_of(exchanges: Iterable[Exchange]) -> Checks:
    """Facts and tools that reached the model, and answers from the cache that are not the turn's own."""
    found: dict[str, int] = dict.fromkeys(("facts", "all_facts", "tools", "all_tools", "wrong", "answers"), 0)
    faults: list[str] = []
    for exchange in exchanges:
        _add_kept(exchange, found, faults)
        if exchange.is_last and not exchange.at_model:
            wrong = exchange.said.message.get("content") != exchange.ask.turn.answer
            found["answers"] += 1
            found["wrong"] += wrong
            faults += [f"wrong answer: {_where(exchange)}"] if wrong else []
    return Checks(
        facts_found=found["facts"], facts_total=found["all_facts"], tools_found=found["tools"],
        tools_total=found["all_tools"], answers_wrong=found["wrong"], answers_total=found["answers"],
        faults=tuple(dict.fromkeys(faults)),
    )  # fmt: skip


def _add_kept(exchange: Exchange, found: dict[str, int], faults: list[str]) -> None:
    if exchange.ask.kind != "first" or not exchange.at_model:
        return
    sent = exchange.at_model[-1]
    asked_text, sent_text, offered = plain_text(exchange.body), plain_text(sent), tool_names(sent)
    facts = [fact for fact in map(squeezed, exchange.ask.turn.evidence) if fact in asked_text]
    kept = [fact for fact in facts if fact in sent_text]
    tools = [name for name in exchange.ask.turn.tools if name in offered]
    found["all_facts"] += len(facts)
    found["facts"] += len(kept)
    found["all_tools"] += len(exchange.ask.turn.tools)
    found["tools"] += len(tools)
    faults += [f"fact left out: {_where(exchange)}: {fact!r}" for fact in facts if fact not in kept]
    faults += [f"tool left out: {_where(exchange)}: {name}" for name in exchange.ask.turn.tools if name not in tools]


def _where(exchange: Exchange) -> str:
    return f"{exchange.ask.session}: {exchange.ask.turn.question[:60]!r} ({exchange.ask.kind}, {exchange.ask.surface})"
