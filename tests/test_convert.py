"""Requests of three APIs become one inner form and come out again without loss."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_tokenopt.convert import border_of
from litellm_tokenopt.request import text_of, tool_calls, tool_name, user_turns
from litellm_tokenopt.tokens import PICTURE_TOKENS, count_message

TEXT = st.text(max_size=12)
CALL_ID = st.integers(0, 99).map("call_{}".format)
ODD_BLOCK = st.sampled_from(
    [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
        {"type": "thinking", "thinking": "…", "signature": "s"},
        {"type": "future_kind", "x": [1, None]},
    ]
)
TEXT_BLOCK = TEXT.map(lambda text: {"type": "text", "text": text})
CHAT = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "assistant"]), "content": TEXT}),
        st.fixed_dictionaries({"role": st.just("user"), "content": st.lists(TEXT_BLOCK | ODD_BLOCK, max_size=3)}),
        st.fixed_dictionaries({"role": st.just("assistant"), "content": st.none(), "surprise": st.just({"a": 1})}),
        st.fixed_dictionaries({"role": st.just("tool"), "tool_call_id": CALL_ID, "content": TEXT}),
    ),
    min_size=1,
    max_size=6,
)
TOOL_RESULT = st.fixed_dictionaries(
    {"type": st.just("tool_result"), "tool_use_id": CALL_ID, "content": TEXT | st.lists(TEXT_BLOCK, max_size=2)}
)
TOOL_USE = st.fixed_dictionaries(
    {"type": st.just("tool_use"), "id": CALL_ID, "name": st.just("look"), "input": st.just({"q": 1})}
)
ANTHROPIC = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": TEXT}),
        st.fixed_dictionaries({"role": st.just("user"), "content": st.lists(TOOL_RESULT | TEXT_BLOCK, max_size=4)}),
        st.fixed_dictionaries({"role": st.just("assistant"), "content": st.lists(TEXT_BLOCK | TOOL_USE, max_size=3)}),
    ),
    min_size=1,
    max_size=6,
)
OUTPUT = st.sampled_from(["function_call_output", "custom_tool_call_output"])
SHELL_CALL = st.sampled_from(["local_shell_call", "shell_call", "apply_patch_call", "computer_call"])
SHELL_OUTPUT = SHELL_CALL.map("{}_output".format)
CHUNK = st.fixed_dictionaries({"stdout": TEXT, "outcome": st.just({"type": "timeout"})}, optional={"stderr": TEXT})
ITEMS = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": st.just("user"), "content": TEXT}),
        st.fixed_dictionaries({"type": st.just("function_call"), "call_id": CALL_ID, "name": TEXT, "arguments": TEXT}),
        st.fixed_dictionaries({"type": st.just("custom_tool_call"), "call_id": CALL_ID, "name": TEXT, "input": TEXT}),
        st.fixed_dictionaries({"type": OUTPUT, "call_id": CALL_ID, "output": TEXT}),
        st.fixed_dictionaries({"type": st.just("reasoning"), "summary": st.just([])}),
        st.fixed_dictionaries({"type": SHELL_CALL, "id": CALL_ID, "call_id": CALL_ID, "action": st.just({"n": 1})}),
        st.fixed_dictionaries({"type": SHELL_OUTPUT, "id": CALL_ID, "output": TEXT | st.lists(CHUNK, max_size=2)}),
    ),
    min_size=1,
    max_size=6,
)
ANY = st.one_of(
    st.tuples(st.just("chat"), st.fixed_dictionaries({"messages": CHAT})),
    st.tuples(st.just("messages"), st.fixed_dictionaries({"messages": ANTHROPIC}, optional={"system": TEXT})),
    st.tuples(st.just("responses"), st.fixed_dictionaries({"input": ITEMS}, optional={"instructions": TEXT})),
)


@given(ANY)
def test_untouched_comes_out_as_it_went_in(case):
    """Rebuilding every message from untouched inner ones gives the very objects that came in; nothing is edited."""
    surface, given_kwargs = case
    before = copy.deepcopy(given_kwargs)
    border = border_of({"model": "m", **given_kwargs}, surface)
    if border is None:
        return
    assert border.outgoing(border.request) == {}
    again = tuple(message for message in border.request.messages)
    for key, value in border.outgoing(border.request.with_(messages=again)).items():
        if key in ("messages", "input"):
            assert len(value) == len(given_kwargs[key])
            assert all(new is old for new, old in zip(value, given_kwargs[key], strict=True))
        else:
            assert value == given_kwargs.get(key)
    assert given_kwargs == before


@pytest.mark.parametrize(("kind", "said"), [("function_call", "arguments"), ("custom_tool_call", "input")])
def test_calls_and_results_of_the_responses_api_are_read_alike(kind: str, said: str) -> None:
    """A result that was shortened goes back into its item; of the call nothing changes."""
    call = {"type": kind, "id": "i1", "call_id": "c1", "name": "edit", said: "*** Begin Patch", "status": "completed"}
    output = {"type": f"{kind}_output", "call_id": "c1", "output": "Done."}
    given_kwargs = {"model": "m", "input": [{"role": "user", "content": "Mend it."}, call, output]}
    border = border_of(given_kwargs, "responses")
    assert border is not None
    question, made, result = border.request.messages
    assert list(tool_calls(made)) == [("c1", "edit", "*** Begin Patch")]
    assert (result["role"], result["tool_call_id"], result["content"]) == ("tool", "c1", "Done.")
    changed = border.outgoing(border.request.with_(messages=(question, made, {**result, "content": "Ok."})))
    assert changed["input"] == [given_kwargs["input"][0], call, {**output, "output": "Ok."}]


EXITS = [{"type": "exit", "exit_code": 0}, {"type": "timeout"}]
TWO = [
    {"stdout": "much " * 9, "stderr": "", "outcome": EXITS[0]},
    {"stdout": "b.py", "stderr": "slow", "outcome": EXITS[1]},
]


@pytest.mark.parametrize(
    ("call", "output", "name", "said", "shorter"),
    [
        (
            {"type": "local_shell_call", "id": "l1", "action": {"type": "exec", "command": ["ls"]}},
            {"type": "local_shell_call_output", "id": "l1", "output": "much " * 9},
            "local_shell", {"type": "exec", "command": ["ls"]}, "much […]",
        ),
        (
            {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a.py"}},
            {"type": "apply_patch_call_output", "call_id": "c1", "status": "failed", "output": "much " * 9},
            "apply_patch", {"type": "delete_file", "path": "a.py"}, "much […]",
        ),
        (
            {"type": "shell_call", "action": {"commands": ["cat a.log", "ls"]}},
            {"type": "shell_call_output", "call_id": "c1", "max_output_length": 900, "output": TWO},
            "shell", {"commands": ["cat a.log", "ls"]},
            [{"stdout": "much […]", "stderr": "", "outcome": EXITS[0]}, {**TWO[1], "stdout": "", "stderr": ""}],
        ),
    ],
)  # fmt: skip
def test_shells_and_patches_are_calls_like_others(call: Any, output: Any, name: str, said: Any, shorter: Any) -> None:
    """Their results are found by their calls, and stay valid when they say less: each command keeps its outcome."""
    call = {"call_id": "c1", "status": "completed", **call}
    given_kwargs = {"model": "m", "input": [{"role": "user", "content": "Mend it."}, call, output]}
    border = border_of(given_kwargs, "responses")
    assert border is not None
    question, made, result = border.request.messages
    assert list(tool_calls(made)) == [("c1", name, json.dumps(said))]
    assert (result["role"], result["tool_call_id"]) == ("tool", "c1")
    assert "much much" in text_of(result["content"])
    text = "much […]" if isinstance(result["content"], str) else [{**result["content"][0], "text": "much […]"}]
    changed = border.outgoing(border.request.with_(messages=(question, made, {**result, "content": text})))
    assert changed["input"] == [given_kwargs["input"][0], call, {**output, "output": shorter}]


def test_a_screenshot_is_a_picture() -> None:
    """What a computer shows counts as one, however large its data, and is the result of the call before it."""
    shown = {"type": "computer_screenshot", "image_url": "data:image/png;base64," + "A" * 100_000}
    call = {"type": "computer_call", "id": "i1", "call_id": "c1", "action": {"type": "screenshot"}}
    output = {"type": "computer_call_output", "call_id": "c1", "output": shown}
    border = border_of({"model": "m", "input": [call, output]}, "responses")
    assert border is not None
    made, result = border.request.messages
    assert list(tool_calls(made)) == [("c1", "computer", '{"type": "screenshot"}')]
    assert (result["role"], result["tool_call_id"]) == ("tool", "c1")
    assert PICTURE_TOKENS < count_message(result) < PICTURE_TOKENS + 60


@pytest.mark.parametrize(
    ("surface", "kwargs"),
    [
        ("chat", {"messages": "hello"}),
        ("chat", {"messages": [{"content": "no role"}]}),
        ("chat", {"messages": [7]}),
        ("chat", {"messages": []}),
        ("chat", {"messages": [{"role": "user", "content": "x"}], "tools": ["not a tool"]}),
        ("messages", {"messages": [{"role": None, "content": "x"}]}),
        ("responses", {"input": [5]}),
        ("responses", {}),
    ],
)
def test_what_is_malformed_is_left_for_litellm_to_judge(surface, kwargs):
    """No request is made of it, so nothing is changed and nothing raised."""
    assert border_of({"model": "m", **kwargs}, surface) is None


ASK = {"role": "user", "content": "How warm is it?"}


def test_anthropic_tool_results_become_messages_of_their_own():
    """One message of results and text is several inner ones; a changed result is written back into its block."""
    native = [
        ASK,
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {"at": "home"}}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "a very long report", "is_error": False},
                {"type": "text", "text": "and tomorrow?"},
            ],
        },
    ]
    border = border_of({"model": "m", "system": "Be brief.", "messages": native}, "messages")
    assert border is not None
    inner = border.request.messages
    assert [message["role"] for message in inner] == ["system", "user", "assistant", "tool", "user"]
    assert [name for message in inner for _, name, _ in tool_calls(message)] == ["weather"]
    assert [text_of(inner[i]["content"]) for i in user_turns(inner)] == ["How warm is it?", "and tomorrow?"]

    note = {"role": "user", "content": "by the way"}
    changed = border.outgoing(
        border.request.with_(messages=(*inner[:3], {**inner[3], "content": "short"}, note, inner[4]))
    )
    assert changed["messages"][:2] == native[:2]
    assert changed["messages"][2:] == [
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "short", "is_error": False}],
        },
        note,
        {"role": "user", "content": [{"type": "text", "text": "and tomorrow?"}]},
    ]


def test_the_system_prompt_is_found_and_put_back_wherever_it_stands():
    """``system`` of /v1/messages and ``instructions`` of /v1/responses are inner system messages."""
    for surface, key, rest in [
        ("messages", "system", {"messages": [ASK]}),
        ("responses", "instructions", {"input": "How warm is it?"}),
    ]:
        border = border_of({"model": "m", key: "long long", **rest}, surface)
        assert border is not None
        first, last = border.request.messages
        assert (first["role"], text_of(last["content"])) == ("system", "How warm is it?")
        changed = border.outgoing(border.request.with_(messages=({**first, "content": "short"}, last)))
        assert changed[key] == "short"


@pytest.mark.parametrize(
    ("surface", "tool", "described"),
    [
        ("chat", {"type": "function", "function": {"name": "f", "description": "long", "parameters": {}}}, "function"),
        ("messages", {"name": "f", "description": "long", "input_schema": {"type": "object"}}, None),
        ("responses", {"type": "function", "name": "f", "description": "long", "parameters": {}, "strict": True}, None),
    ],
)
def test_tools_of_every_api_are_read_alike(surface, tool, described):
    """A tool has its name inside, keeps its other fields, and gets a changed description written back."""
    where = {"input": "x"} if surface == "responses" else {"messages": [ASK]}
    border = border_of({"model": "m", **where, "tools": [tool, {"type": "web_search", "x": 1}]}, surface)
    assert border is not None
    inner, server_side = border.request.tools
    assert (tool_name(inner), tool_name(server_side)) == ("f", None)
    short = {**inner, "function": {**inner["function"], "description": "short"}}
    out = border.outgoing(border.request.with_(tools=(short, server_side)))["tools"]
    assert out[1] == {"type": "web_search", "x": 1}
    changed = out[0][described] if described else out[0]
    assert changed["description"] == "short"
    assert {**out[0], **({"function": None} if described else {"description": None})} == {
        **tool, **({"function": None} if described else {"description": None})
    }  # fmt: skip


def test_a_cache_mark_on_a_dropped_tool_moves_to_the_blocks_end():
    """The caller's cache breakpoint stays at the end of the tool block."""
    tools = [{"name": n, "input_schema": {"type": "object"}} for n in "ab"]
    tools[1]["cache_control"] = {"type": "ephemeral"}
    border = border_of({"model": "m", "messages": [ASK], "tools": tools}, "messages")
    assert border is not None
    out = border.outgoing(border.request.with_(tools=border.request.tools[:1]))["tools"]
    assert out == [{**tools[0], "cache_control": {"type": "ephemeral"}}]


def test_message_objects_of_litellm_are_read_and_given_back():
    """Agents append ``response.choices[0].message`` itself."""
    from litellm.types.utils import Message

    said = Message(content="Hello", role="assistant")
    border = border_of({"model": "m", "messages": [ASK, said, ASK]}, "chat")
    assert border is not None
    assert text_of(border.request.messages[1]["content"]) == "Hello"
    out = border.outgoing(border.request.with_(messages=border.request.messages[1:]))
    assert out["messages"][0] is said


def test_tenants_are_told_apart():
    """The proxy's key and the SDK's user and key each make another tenant."""
    base = {"model": "m", "messages": [ASK]}
    tenants = {
        border_of({**base, **more}, "chat").request.tenant  # type: ignore[union-attr]
        for more in [
            {},
            {"user": "ann"},
            {"user": "bob"},
            {"api_key": "one"},
            {"metadata": {"user_api_key_hash": "k1"}},
            {"metadata": {"user_api_key_hash": "k1", "user_api_key_team_id": "t"}},
            {"litellm_metadata": {"user_api_key_hash": "k2"}},
        ]
    }
    assert len(tenants) == 7


ROLES = ("system", "user", "assistant", "user")


@pytest.mark.parametrize(
    ("pins", "places"),
    [
        ([2], [2]),
        ([0, -1, 99, True, 1.5, None], []),
        (["4711"], [1, 3]),
        ([3, "4711", "4711", " "], [1, 3]),
        ("4711", []),
        ({"2": True}, []),
        (None, []),
    ],
)
def test_pins_name_messages(pins: Any, places: list[int]) -> None:
    """By index or by what they hold; system prompts need none, and what isn't understood pins nothing."""
    texts = ("Be kind.", "Order 4711, please.", "Which colour?", "Blue, for 4711.")
    messages = [{"role": role, "content": text} for role, text in zip(ROLES, texts, strict=True)]
    border = border_of({"model": "m", "messages": messages, "metadata": {"tokenopt": {"pin": pins}}}, "chat")
    assert border is not None
    assert [messages.index(one) for one in border.request.controls.pinned] == places


def test_controls_are_litellms_own():
    """``cache={…}`` and the plugin's metadata say what is wanted of one request."""
    kwargs = {
        "cache": {"no-cache": True, "no-store": True, "ttl": 60, "namespace": "n", "s-maxage": 5},
        "metadata": {"tokenopt": {"bypass": True}},
    }
    border = border_of({"model": "m", "messages": [ASK], **kwargs}, "chat")
    assert border is not None
    controls = border.request.controls
    assert (controls.no_cache, controls.no_store, controls.ttl_seconds) == (True, True, 60.0)
    assert (controls.namespace, controls.max_age_seconds, controls.bypass) == ("n", 5.0, True)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(5, 5.0), ("5", 5.0), (0, 0.0), (-1, 0.0), (0.5, 0.5), (None, None), (True, None), ("soon", None), ("inf", None)],
)
def test_times_in_controls(given, seconds):
    """Times may come as text; none is left is a time too; what is no time is as if it weren't there."""
    cache = {"s-maxage": given, "ttl": given}
    border = border_of({"model": "m", "messages": [ASK], "cache": cache}, "chat")
    assert border is not None
    assert (border.request.controls.max_age_seconds, border.request.controls.ttl_seconds) == (seconds, seconds)


def test_what_shapes_the_answer_is_kept_and_transport_is_not():
    """Temperature and unknown parameters count; streaming, keys and timeouts don't."""
    kwargs = {"temperature": 0.2, "top_q": 1, "stream": True, "timeout": 3, "api_key": "s", "seed": None}
    border = border_of({"model": "m", "messages": [ASK], **kwargs}, "chat")
    assert border is not None
    assert border.request.options == {"temperature": 0.2, "top_q": 1}


@pytest.mark.parametrize("mock", [{"mock_response": "a"}, {"mock_tool_calls": [{}]}, {"mock_timeout": True}])
def test_a_mocked_call_is_known(mock):
    """What LiteLLM makes up is marked, and is no option."""
    border = border_of({"model": "m", "messages": [ASK], **mock}, "chat")
    assert border is not None
    assert border.request.controls.mocked
    assert border.request.options == {}


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        (["docs", " v1 ", "docs", "", 7, "a\x1fb"], ("docs", "v1", "a b")),
        ("docs", ()), (None, ()), ({"a": 1}, ()), (["x" * 500], ("x" * 128,)),
        ([str(n) for n in range(99)], tuple(str(n) for n in range(32))),
    ],
)  # fmt: skip
def test_tags_are_a_list_of_texts(given, tags):
    """Each text counts once, cleaned and within bounds; anything else is left out."""
    kwargs = {"model": "m", "messages": [{"role": "user", "content": "q"}], "metadata": {"tokenopt": {"tags": given}}}
    border = border_of(kwargs, "chat")
    assert border.request.controls.tags == tags
