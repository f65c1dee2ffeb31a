"""Conversations for the laws: made of a list of (kind, seed), so that Hypothesis can shrink them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from litellm_tokenopt.context.marks import SAME, SAME_RECORD

Body = dict[str, Any]

WORDS = (
    "order refund parcel courier Leeds warehouse invoice ledger deploy rollback latency queue tent footprint seam "
    "carton stock promotion price margin Grüße naïve 東京 заказ 🙂 supplier batch signature window approve cancel"
).split()


def prose(chance: random.Random, sentences: int) -> str:
    lines = (
        f"The {chance.choice(WORDS)} {chance.choice(WORDS)} of FH-{chance.randrange(10**6):06d} "
        f"{chance.choice(('was', 'must be', 'is never'))} {chance.choice(WORDS)} at {chance.randrange(500)}.50 GBP."
        for _ in range(sentences)
    )
    return " ".join(lines)


def rows(chance: random.Random) -> str:
    count = chance.randrange(1, 25)
    return json.dumps([{"id": n, "sku": chance.choice(WORDS), "units": chance.randrange(999)} for n in range(count)])


def log(chance: random.Random) -> str:
    return "\n".join(f"2026-03-1{n % 10} {chance.choice(WORDS)} code={chance.randrange(600)}" for n in range(40))


def user(chance: random.Random, number: int) -> list[Body]:
    return [{"role": "user", "content": prose(chance, chance.randrange(1, 4))}]


def question(chance: random.Random, number: int) -> list[Body]:
    return [{"role": "user", "content": f"What was said about the {chance.choice(WORDS)} and {chance.choice(WORDS)}?"}]


def reply(chance: random.Random, number: int) -> list[Body]:
    return [{"role": "assistant", "content": prose(chance, chance.randrange(1, 16))}]


def silence(chance: random.Random, number: int) -> list[Body]:
    return [{"role": "assistant", "content": None}]


def blocks(chance: random.Random, number: int) -> list[Body]:
    parts = [{"type": "text", "text": prose(chance, 3)} for _ in range(chance.randrange(3))]
    return [{"role": chance.choice(("user", "assistant")), "content": parts}]


def media(chance: random.Random, number: int) -> list[Body]:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    return [{"role": "user", "content": [{"type": "text", "text": prose(chance, 2)}, picture]}]


def marked(chance: random.Random, number: int) -> list[Body]:
    text = {"type": "text", "text": prose(chance, 3), "cache_control": {"type": "ephemeral"}}
    return [{"role": chance.choice(("user", "assistant")), "content": [text]}]


def system(chance: random.Random, number: int) -> list[Body]:
    return [{"role": "system", "content": prose(chance, 2)}]


def calls(chance: random.Random, number: int) -> list[Body]:
    """A round of one to three parallel calls with all their results, in some order."""
    names = [f"call_{number}_{n}" for n in range(chance.randrange(1, 4))]
    arguments = json.dumps({"query": prose(chance, 1)})
    made = [{"id": name, "type": "function", "function": {"name": "look_up", "arguments": arguments}} for name in names]
    said = chance.choice((None, "", prose(chance, 2)))
    chance.shuffle(names)
    return [{"role": "assistant", "content": said, "tool_calls": made}, *(result(chance, name) for name in names)]


def result(chance: random.Random, name: str) -> Body:
    text = chance.choice((rows, log))(chance)
    content = chance.choice((text, text, text, "", None, [{"type": "text", "text": text}]))
    return {"role": "tool", "tool_call_id": name, "content": content}


def thoughtful(chance: random.Random, number: int) -> list[Body]:
    """A round of calls behind a signed thought; a picture may come with a result."""
    head, *results = calls(chance, number)
    thought = {"type": "thinking", "thinking": prose(chance, 1), "signature": f"signed-{number}"}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    if chance.random() < 0.3:
        results[0]["content"] = [{"type": "text", "text": prose(chance, 2)}, picture]
    return [{**head, "thinking_blocks": [thought]}, *results]


def unanswered(chance: random.Random, number: int) -> list[Body]:
    return calls(chance, number)[:-1]


def apart(chance: random.Random, number: int) -> list[Body]:
    """A round as the Responses API has it: what the model reasoned, its calls a message each, their results; some are
    of a tool that takes any text."""
    said, *results = calls(chance, number)
    thought = {"type": "reasoning", "id": f"rs_{number}", "encrypted_content": prose(chance, 1)}
    reasoned = {"role": "assistant", "content": [thought]}
    taken = said["tool_calls"] if number % 3 else [of_text(call) for call in said["tool_calls"]]
    made = [{"role": "assistant", "content": None, "tool_calls": [call]} for call in taken]
    return [reasoned, *made, *results] if number % 2 else [*made, *results, reasoned, *reply(chance, number)]


def of_text(call: Body) -> Body:
    """The same call of a custom tool."""
    function = call["function"]
    return {"id": call["id"], "type": "custom", "custom": {"name": function["name"], "input": function["arguments"]}}


def orphan(chance: random.Random, number: int) -> list[Body]:
    return [result(chance, f"nobody_{number}")]


def record(chance: random.Random, number: int) -> list[Body]:
    """One of three orders, read or changed: results that nearly repeat each other."""
    order = chance.randrange(3)
    known = {f"field_{n}": f"{WORDS[(order * 7 + n) % len(WORDS)]} {order * 1000 + n}" for n in range(14)}
    items = [{"sku": f"SKU-{order}{n}", "state": chance.choice(("packed", "sent"))} for n in range(chance.randrange(4))]
    found = {"order": f"W{order}", **known, "items": items, "status": chance.choice(("open", "paid", "closed"))}
    name = chance.choice(("get_order", "change_order"))
    call = {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": f'{{"id":"W{order}"}}'}}
    text = chance.choice((json.dumps(found), json.dumps(found, indent=1), "\n".join(map(str, found.items()))))
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": text},
    ]


def of_marks(chance: random.Random, number: int) -> list[Body]:
    """A file that was read, and holds what the stage itself writes."""
    ids = chance.sample(range(1, 90), 2)
    lines = [prose(chance, 1), *(f"[… m{n}: {n * 9} tokens left out]" for n in ids), "[… 3 tokens left out: 2 rows]"]
    chance.shuffle(lines)
    head = chance.choice((SAME + "look_up(query=order)]", SAME_RECORD + 'W1"', ""))
    said, *results = calls(chance, number)
    text = "\n".join((head, *lines, prose(chance, chance.randrange(20))))
    return [said, *({**one, "content": text} for one in results)]


KINDS: tuple[Callable[[random.Random, int], list[Body]], ...] = (
    user, question, reply, calls, calls, silence, blocks, media, marked, system, unanswered, orphan,
    thoughtful, record, apart, of_marks,
)  # fmt: skip

pieces = st.lists(st.tuples(st.integers(0, len(KINDS) - 1), st.integers(0, 10**6)), min_size=1, max_size=40)
"""Any order of messages, also those that no API would take."""

reading = st.lists(st.tuples(st.sampled_from([1, 2, 3, 13, 15, 15]), st.integers(0, 10**6)), min_size=2, max_size=40)
"""Files that hold what the stage itself writes, among others."""

ordinary = st.lists(st.tuples(st.sampled_from([0, 1, 1, 2, 3, 3]), st.integers(0, 10**6)), min_size=8, max_size=40)
"""Questions, replies and calls."""

repeating = st.lists(st.tuples(st.sampled_from([1, 2, 13, 13, 13]), st.integers(0, 10**6)), min_size=2, max_size=40)
"""Records that are read and changed again and again."""


def build(made_of: Sequence[tuple[int, int]]) -> list[Body]:
    messages: list[Body] = [{"role": "system", "content": "You help the staff of a shop."}]
    for number, (kind, seed) in enumerate(made_of):
        messages += KINDS[kind](random.Random(seed), number)
    return messages
