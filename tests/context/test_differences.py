"""Results that nearly repeat an earlier one are said as a difference against it."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.differences import lines_undone, undone

from litellm_tokenopt.context.condensing import condensed
from litellm_tokenopt.context.differences import difference, differing, named
from litellm_tokenopt.context.marks import is_difference

CALL = "get_order(id=W1)"


def order(**changes: Any) -> dict[str, Any]:
    known = {f"field_{n}": f"what the shop knows of it, {n}" for n in range(12)}
    return {"order": "W1", **known, "payments": [{"card": "x_1", "amount": 250.50}], "status": "open", **changes}


def called(name: str, arguments: Mapping[str, Any], result: object, number: int) -> list[dict[str, Any]]:
    call = {"id": f"c{number}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    text = result if isinstance(result, str) else json.dumps(result)
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"c{number}", "content": text},
    ]


def test_a_record_that_was_changed_is_said_by_what_changed() -> None:
    """The model reads which result it repeats, and what is new; later ones are told against the same full one."""
    paid = order(payments=[*order()["payments"], {"card": "x_1", "amount": -250.50}], status="returned")
    messages = [
        *called("get_order", {"id": "W1"}, order(), 1), *called("return_order", {"id": "W1"}, paid, 2),
        *called("get_order", {"id": "W1"}, paid, 3),
    ]  # fmt: skip
    sent = differing(condensed(messages))
    told = (
        '{"same_as":"last full get_order(id=W1)",'
        '"but":{"payments[1]":{"card":"x_1","amount":-250.5},"status":"returned"}}'
    )
    assert [sent[3]["content"], sent[5]["content"]] == [told, told]
    assert sent[1]["content"] == condensed(messages)[1]["content"]


def test_a_file_that_is_read_again_is_said_by_its_changed_lines() -> None:
    """Lines are quoted to the last blank; a file that is the same is one line."""
    before = "\n".join(f"    line {n} of the program;  " for n in range(40))
    after = before.replace("line 7 of", "line seven of").replace("    line 30 of the program;  \n", "")
    messages = [message for n, text in enumerate((before, after, before)) for message in called("cat", {}, text, n)]
    sent = differing(messages)
    assert sent[3]["content"] == (
        "[Same as the last full result of cat(), but for these lines]\n"
        "@@ -8,1 +8,1 @@\n-    line 7 of the program;  \n+    line seven of the program;  \n"
        "@@ -31,1 +31,0 @@\n-    line 30 of the program;  "
    )
    assert sent[5]["content"] == "[Same as the last full result of cat()]"


def test_another_record_keeps_its_keys() -> None:
    """Two orders of one form share their keys alone: no reader is to count which value stands under which."""
    other = {key: f"no {key[-2:]}" for key in order()}
    messages = [*called("get_order", {"id": "W1"}, order(), 1), *called("get_order", {"id": "W2"}, other, 2)]
    assert differing(messages)[3] is messages[3]


def test_a_difference_is_against_the_newest_full_result_of_its_call() -> None:
    """A result that is sent in full again is what later ones refer to."""
    other = {f"{key}_too": f"{value} {key[::-1]}" for key, value in order().items()}
    results = [order(), other, {**other, "status_too": "closed"}]
    messages = [message for n, found in enumerate(results) for message in called("get_order", {"id": "W1"}, found, n)]
    sent = differing(messages)
    assert sent[3] is messages[3]
    assert undone(messages[3]["content"], sent[5]["content"]) == results[2]


@pytest.mark.parametrize("change", [{"cache_control": {"type": "ephemeral"}}, {"content": [{"type": "image"}]}])
def test_what_nobody_may_touch_stays(change: dict[str, Any]) -> None:
    """Marks of the caller's own, media, and what is pinned."""
    messages = [*called("get_order", {}, order(), 1), *called("get_order", {}, order(), 2)]
    marked = [*messages[:3], {**messages[3], **change}]
    assert differing(marked)[3] is marked[3]
    assert differing(messages, {id(messages[3])})[3] is messages[3]
    assert is_difference(differing(messages)[3])


def test_what_the_model_has_asked_back_is_said_in_full() -> None:
    """It asked to read it: the answer of a tool of ours points nowhere."""
    text = "\n".join(f"line {n} of the report on the parcels" for n in range(30))
    messages = [*called("read", {}, text, 1), *called("tokenopt_recall", {"id": "m2"}, text, 2)]
    assert differing(messages)[3] is messages[3]


def test_a_call_is_named_in_a_line() -> None:
    """As one would write it; what is long is shortened, what is no JSON stands as it is."""
    assert named("get", '{"id": "W1", "deep": {"a": [1, 2]}}') == 'get(id=W1, deep={"a": [1, 2]})'
    assert named("run", '{"command": "%s"}' % ("make\\n" * 60)) == f"run(command={('make ' * 10)[:47]}…)"
    assert (named("now", ""), named("odd", "{"), named("odd", '"\\ud800"')) == ("now()", "odd({)", "odd(?)")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def changed(value: Any, chance: random.Random, new: Any) -> Any:
    """*value* with a few members put, dropped or added."""
    value = copy.deepcopy(value)
    inner = value
    while isinstance(inner, (dict, list)) and inner:
        key = chance.choice(list(inner) if isinstance(inner, dict) else range(len(inner)))
        if chance.random() < 0.4 or not isinstance(inner[key], (dict, list)):
            act = chance.randrange(3)
            if act == 0:
                inner[key] = new
            elif act == 1:
                del inner[key]
            elif isinstance(inner, list):
                inner.append(new)
            else:
                inner["new"] = new
            return value
        inner = inner[key]
    return value


@given(st.dictionaries(st.text(max_size=6), values, min_size=1, max_size=6), values, st.integers(0, 999))
@settings(max_examples=100, deadline=None)
def test_nothing_of_a_record_is_lost(base: dict[str, Any], new: object, seed: int) -> None:
    """Whatever changed: the full result and the difference give the new one, or there is no difference."""
    chance = random.Random(seed)
    after = changed(changed(base, chance, new), chance, new)
    told = difference(CALL, json.dumps(base), json.dumps(after))
    assert not told or undone(json.dumps(base), told) == after


@given(st.lists(st.sampled_from("abcdefg\r ") | st.text(max_size=3), max_size=40), st.data())
@settings(max_examples=200, deadline=None)
def test_nothing_of_a_text_is_lost(lines: list[str], data: st.DataObject) -> None:
    """Lines that were put, dropped, moved or doubled come out as they are."""
    before = "\n".join(lines)
    cut = sorted(data.draw(st.tuples(st.integers(0, 40), st.integers(0, 40))))
    after = "\n".join([*lines[: cut[0]], *data.draw(st.lists(st.sampled_from("abx"), max_size=4)), *lines[cut[1] :]])
    assert lines_undone(before, difference(CALL, before, after)) == after
