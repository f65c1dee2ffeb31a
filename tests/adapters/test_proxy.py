"""The real proxy with the plugin in its callbacks, asked by the real clients, traced into a real collector."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
import yaml
from support.agent import ANTHROPIC_TOOLS, PROMPT, RESPONSES_TOOLS, TOOLS, callers_tools, question
from support.loops import loop_of_calls

from litellm_tokenopt.errors import UnavailableError
from litellm_tokenopt.evaluation.collector import Collector
from litellm_tokenopt.evaluation.model_server import ModelServer
from litellm_tokenopt.evaluation.proxy import Proxy
from litellm_tokenopt.evaluation.script import script_of

CONFIG = Path(__file__).parents[2] / "config" / "litellm_proxy.yaml"


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


def whole(server: ModelServer, collector: Collector, folder: Path) -> Proxy:
    environment = {
        "OPENAI_API_BASE": server.base_url,
        "OPENAI_API_KEY": "none",
        "OTEL_EXPORTER": "otlp_http",
        "OTEL_ENDPOINT": f"{collector.endpoint}/v1/traces",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "TOKENOPT_REDIS__URL": "embedded",
        "TOKENOPT_TELEMETRY__OTLP_ENDPOINT": collector.endpoint,
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "TOKENOPT_TIME_BUDGET_SECONDS": "60",
    }
    return Proxy(CONFIG, environment, log=folder / "proxy.log")


def misconfigured(server: ModelServer, folder: Path) -> Proxy:
    config = yaml.safe_load(CONFIG.read_text())
    config["callback_settings"]["litellm_tokenopt"]["tools"]["max_tools"] = "plenty"
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    environment = {"OPENAI_API_BASE": server.base_url, "OPENAI_API_KEY": "none"}
    return Proxy(folder / "config.yaml", environment, log=folder / "proxy.log")


def without_redis(server: ModelServer, folder: Path) -> Proxy:
    config = yaml.safe_load(CONFIG.read_text())
    config["litellm_settings"]["callbacks"] = ["litellm_tokenopt.callback"]
    config["model_list"].append({**config["model_list"][0], "model_name": "agent"})
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    environment = {
        "OPENAI_API_BASE": server.base_url, "OPENAI_API_KEY": "none", "OTEL_EXPORTER": "none",
        "TOKENOPT_REDIS__URL": "redis://127.0.0.1:1", "TOKENOPT_REDIS__CONNECT_TIMEOUT_SECONDS": "0.2",
    }  # fmt: skip
    return Proxy(folder / "config.yaml", environment, log=folder / "proxy.log")


@pytest.fixture(scope="module")
def proxies(
    server: ModelServer, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Proxy]]]:
    """Three proxies that start beside each other, since each imports for seconds."""
    made = {
        "whole": whole(server, collector, tmp_path_factory.mktemp("whole")),
        "misconfigured": misconfigured(server, tmp_path_factory.mktemp("misconfigured")),
        "without redis": without_redis(server, tmp_path_factory.mktemp("without-redis")),
    }
    with ExitStack() as open_ones, ThreadPoolExecutor(len(made)) as threads:
        yield {name: threads.submit(open_ones.enter_context, proxy) for name, proxy in made.items()}


@pytest.fixture(scope="module")
def proxy(proxies: dict[str, Future[Proxy]]) -> Proxy:
    return proxies["whole"].result()


@pytest.fixture(scope="module")
def client(proxy: Proxy) -> openai.OpenAI:
    return openai.OpenAI(base_url=proxy.base_url, api_key=proxy.key, max_retries=0)


def chat(client: openai.OpenAI, asked: str, **more: Any) -> Any:
    messages = [{"role": "system", "content": PROMPT}, {"role": "user", "content": asked}]
    return client.chat.completions.with_raw_response.create(model="gpt-4o", messages=messages, tools=TOOLS, **more)


def chat_text(raw: Any) -> str:
    parsed = raw.parse()
    if hasattr(parsed, "choices"):
        return parsed.choices[0].message.content
    return "".join(chunk.choices[0].delta.content or "" for chunk in parsed if chunk.choices)


def responses(client: openai.OpenAI, asked: str, **more: Any) -> Any:
    return client.responses.with_raw_response.create(
        model="gpt-4o", instructions=PROMPT, input=asked, tools=RESPONSES_TOOLS, **more
    )


def responses_text(raw: Any) -> str:
    parsed = raw.parse()
    if hasattr(parsed, "output_text"):
        return parsed.output_text
    return "".join(event.delta for event in parsed if event.type == "response.output_text.delta")


def messages(client: openai.OpenAI, asked: str, **more: Any) -> Any:
    theirs = anthropic.Anthropic(base_url=str(client.base_url).removesuffix("/v1/"), api_key=client.api_key)
    return theirs.messages.with_raw_response.create(
        model="gpt-4o", system=PROMPT, messages=[{"role": "user", "content": asked}], tools=ANTHROPIC_TOOLS,
        max_tokens=200, **more,
    )  # fmt: skip


def messages_text(raw: Any) -> str:
    parsed = raw.parse()
    if hasattr(parsed, "content"):
        return parsed.content[0].text
    return "".join(event.delta.text for event in parsed if event.type == "content_block_delta")


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("ask", "read"),
    [(chat, chat_text), (responses, responses_text), (messages, messages_text)],
    ids=["chat", "responses", "messages"],
)
def test_each_route_sends_less_and_answers_repeats(ask, read, stream, client, server):
    """The model sees a small request; the repeat comes from the cache; the headers say so, streams included."""
    asked, seen = question(), len(server.bodies)
    more = {"stream": True} if stream else {}
    first = ask(client, asked, **more)
    text = read(first)
    assert text
    assert int(first.headers["x-tokenopt-tokens-saved"]) > 20_000
    assert first.headers["x-tokenopt-cache"] == "miss"
    again = ask(client, asked, **more)
    assert read(again) == text
    assert again.headers["x-tokenopt-cache"] == "exact"
    bodies = server.bodies[seen:]
    assert len(bodies) == 1
    assert len(callers_tools(bodies[0])) <= 10
    assert asked in json.dumps(bodies[0])


def test_another_key_of_the_proxy_is_another_tenant(client, server):
    """End users don't share answers unless the settings say so."""
    asked, seen = question(), len(server.bodies)
    for user in ("ann", "bob", "ann"):
        chat(client, asked, user=user)
    assert len(server.bodies) - seen == 2


@pytest.mark.parametrize("ask", [chat, responses], ids=["chat", "responses"])
def test_tenants_in_a_bodys_metadata_share_nothing(ask, client, server):
    """One key serves several tenants of its own; ids of traces in the same place don't part them."""
    asked, seen = question(), len(server.bodies)
    for tenant, trace in (("A", "1"), ("B", "2"), ("A", "3")):
        ask(client, asked, extra_body={"metadata": {"tenant_id": tenant, "trace_id": trace}})
    assert len(server.bodies) - seen == 2


def test_health_says_how_each_part_is(proxy):
    """200 with a body for Redis and the embedder, without a key."""
    with urllib.request.urlopen(f"{proxy.url}/tokenopt/health") as response:
        body = json.load(response)
    assert (response.status, body["status"]) == (200, "ok")
    assert body["parts"]["redis"]["ok"]
    assert body["parts"]["embedder"]["dimensions"] == 384


def admin(proxy: Proxy, method: str, path: str, key: str | None = None, body: Any = None) -> tuple[int, Any]:
    """The status and body of an answer to the proxy's admin, or to who has *key* (empty: none)."""
    key = proxy.key if key is None else key
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    data = None if body is None else json.dumps(body).encode()
    headers["Content-Type"] = "application/json"
    request = urllib.request.Request(f"{proxy.url}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def tagged(client, asked, tag, **more):
    return chat(client, asked, extra_body={"metadata": {"tokenopt": {"tags": [tag, "docs"]}}}, **more)


def test_an_admin_lists_and_removes_answers_by_tag(proxy, client):
    """What a tag is on is listed and removed; the next such request goes to the model again."""
    first, second = question(), question()
    tagged(client, first, "v1", user="ann")
    tagged(client, second, "v2")
    status, found = admin(proxy, "GET", "/tokenopt/cache/entries?tag=v1&limit=5")
    (entry,) = found["entries"]
    assert (status, entry["question"], entry["tags"], entry["model"]) == (200, first, ["v1", "docs"], "gpt-4o")
    assert "end_user:ann" in entry["tenant"]
    assert proxy.key not in json.dumps(found)
    status, stats = admin(proxy, "GET", "/tokenopt/cache")
    assert (status, stats["entries"] >= 2, stats["by_model"]["gpt-4o"] >= 2) == (200, True, True)
    assert admin(proxy, "DELETE", "/tokenopt/cache?tag=v1&older_than=1h") == (200, {"removed": 0})
    assert admin(proxy, "DELETE", "/tokenopt/cache?tag=v1") == (200, {"removed": 1})
    assert tagged(client, first, "v1", user="ann").headers["x-tokenopt-cache"] == "miss"
    assert tagged(client, second, "v2").headers["x-tokenopt-cache"] == "exact"


def test_an_admin_reports_answers(proxy, client):
    """A hit says its key; reported as wrong it's gone, and the counts say so."""
    asked = question()
    chat(client, asked)
    key = chat(client, asked).headers["x-tokenopt-cache-key"]
    path = "/tokenopt/cache/feedback"
    for verdict in ("right", "wrong"):
        body = {"key": key, "verdict": verdict}
        assert admin(proxy, "POST", path, body=body) == (200, body)
    assert chat(client, asked).headers["x-tokenopt-cache"] == "miss"
    checks = admin(proxy, "GET", "/tokenopt/cache")[1]["checks"]
    assert checks["reported_right"] >= 1 <= checks["reported_wrong"]
    assert admin(proxy, "POST", path, body={"key": "none", "verdict": "wrong"})[0] == 404
    for wrong in ({"key": key, "verdict": "bad"}, {}, [1], "text", 7):
        assert admin(proxy, "POST", path, body=wrong)[0] == 400
    assert admin(proxy, "POST", path, "", body={"key": key, "verdict": "wrong"})[0] == 401


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/entries"), ("DELETE", "?all=true"), ("DELETE", "?tag=docs")]
)
@pytest.mark.parametrize("key", ["", "sk-somebody-elses-key-that-is-long"])
def test_only_an_admin_may(proxy, client, method, path, key):
    """Without the admin key nothing is told or removed, and the answer is 401, though there is no database."""
    asked = question()
    tagged(client, asked, "v1")
    status, body = admin(proxy, method, f"/tokenopt/cache{path}", key)
    assert (status, asked in body) == (401, False), body
    assert tagged(client, asked, "v1").headers["x-tokenopt-cache"] == "exact"


@pytest.mark.parametrize(
    ("method", "path", "complaint"),
    [
        ("DELETE", "", "all=true"), ("DELETE", "?all=true&tag=a", "all=true"), ("DELETE", "?tag=", "tag is empty"),
        ("DELETE", "?tags=a", "tags is no parameter"), ("GET", "/entries?limit=0", "limit"),
        ("GET", "/entries?older_than=soon", "older_than"), ("DELETE", "?tag=a&tag=b", "tag is given twice"),
    ],
)  # fmt: skip
def test_wrong_parameters_remove_nothing(proxy, method, path, complaint):
    """What isn't understood is named, with 400."""
    status, body = admin(proxy, method, f"/tokenopt/cache{path}")
    assert (status, complaint in body) == (400, True), body


def test_spans_stand_under_litellms_own(client, collector):
    """One trace holds the proxy's server span, its model call, and our decision with a child for each stage."""
    chat(client, question())
    wanted = {"tokenopt.stage.cache", "tokenopt.stage.tools", "tokenopt.stage.prompt"}
    deadline = time.monotonic() + 20
    found: list[tuple[dict[str, Any], dict[str, Any]]] = []
    while not found and time.monotonic() < deadline:
        time.sleep(0.2)
        spans = {span["span_id"]: span for span in collector.spans()}
        below = {key: {s["name"] for s in spans.values() if s["parent_span_id"] == key} for key in spans}
        found = [
            (span, spans[span["parent_span_id"]])
            for key, span in spans.items()
            if span["name"] == "tokenopt.optimize" and span["parent_span_id"] in spans and wanted <= below[key]
        ]
    ours, parent = found[-1]
    assert parent["trace_id"] == ours["trace_id"]
    assert not parent["name"].startswith("tokenopt")
    assert ours["attributes"]["tokenopt.tokens.saved"] > 20_000


def test_metrics_reach_the_collector(client, collector):
    """Savings and cache results are counted."""
    chat(client, question())
    collector.wait_for("tokenopt.tokens.saved", "tokenopt.cache.requests", "tokenopt.duration", seconds=20)


def test_a_wrong_setting_stops_the_start(proxies):
    """The proxy does not come up, and its log names the field, the value and what is allowed."""
    error = proxies["misconfigured"].exception()
    assert isinstance(error, UnavailableError)
    assert "tools.max_tools: got 'plenty'" in str(error)


def test_without_redis_the_proxy_serves_and_health_says_503(proxies):
    """Requests go through; the health route tells what is missing."""
    proxy = proxies["without redis"].result()
    client = openai.OpenAI(base_url=proxy.base_url, api_key=proxy.key, max_retries=0)
    assert chat_text(chat(client, question()))
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{proxy.url}/tokenopt/health")
    body = json.load(caught.value)
    assert (caught.value.code, body["status"], body["parts"]["redis"]["ok"]) == (503, "degraded", False)
    assert "127.0.0.1:1" in body["parts"]["redis"]["error"]


def test_a_conversation_is_cut_by_the_prices_of_the_models_behind_a_name(proxies, server):
    """By a name that LiteLLM doesn't know just as by the model's own, and sooner than by the usual prices."""
    proxy = proxies["without redis"].result()
    client = openai.OpenAI(base_url=proxy.base_url, api_key=proxy.key, max_retries=0)
    given = loop_of_calls(question())
    for name in ("gpt-4o", "agent"):
        client.chat.completions.create(model=name, messages=given)
    own, routed = (body["messages"] for body in server.bodies[-2:])
    assert routed == own
    assert len(str(own)) < 0.8 * len(str(given))


@pytest.mark.parametrize("stream", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize(
    ("ask", "read"),
    [(chat, chat_text), (responses, responses_text), (messages, messages_text)],
    ids=["chat", "responses", "messages"],
)
def test_tools_left_out_are_found_and_clients_see_nothing_of_it(ask, read, stream, client, server):
    """The model's call is answered by the proxy; the client's raw bytes hold the last reply, and no tool of ours."""
    asked, seen, wanted = question(), len(server.bodies), TOOLS[-1]["function"]["name"]
    call = {"name": "tokenopt_find_tools", "arguments": {"query": wanted}}
    server.model.script = script_of({asked: [{"calls": [call]}, "It is done."]})
    raw = ask(client, asked, **({"stream": True} if stream else {}))
    assert read(raw) == "It is done."
    first, second = server.bodies[seen:]
    assert wanted not in json.dumps(first["tools"][:-2])
    assert wanted in json.dumps(second["tools"][len(first["tools"]) :])
    server.model.script = script_of({asked: [{"calls": [call]}]})
    assert "tokenopt_" not in bytes_of(ask, client, asked, stream)


def bytes_of(ask: Any, client: openai.OpenAI, asked: str, stream: bool) -> str:
    """All that goes to a client, past the cache."""
    seen: list[bytes] = []
    more = {"extra_body": {"cache": {"no-cache": True}}, **({"stream": True} if stream else {})}
    raw = ask(client, asked, **more)
    seen += raw.http_response.iter_bytes() if stream else [raw.http_response.content]
    return b"".join(seen).decode()
