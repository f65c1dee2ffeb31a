"""Every example runs as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from litellm_tokenopt.evaluation.model_server import ModelServer
from litellm_tokenopt.evaluation.proxy import Proxy

ROOT = Path(__file__).parents[2]
OFFLINE = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def run(script: str, *arguments: str, timeout: float = 240, **environment: str) -> str:
    command = [sys.executable, str(ROOT / "examples" / script), *arguments]
    env = os.environ | OFFLINE | environment
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=env, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


SCRIPTS = {
    "test_demo": ("demo.py", "--sessions", "1", "--json", "--reports", "{folder}"),
    "test_sdk_quickstart": ("sdk_quickstart.py",),
    "test_direct": ("direct.py",),
    "test_semantic_cache": ("semantic_cache.py",),
    "test_tool_registry": ("tool_registry.py",),
}


@pytest.fixture(scope="module")
def printed(request: pytest.FixtureRequest, folder: Path) -> Iterator[dict[str, Future[str]]]:
    """What the scripts of the tests to be run print; they run beside these, since each imports for seconds."""
    wanted = [item.name for item in request.session.items if item.name in SCRIPTS]
    with ThreadPoolExecutor(1) as thread:
        yield {name: thread.submit(run, *(word.format(folder=folder) for word in SCRIPTS[name])) for name in wanted}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demonstration writes its reports."""
    return tmp_path_factory.mktemp("reports")


@pytest.fixture
def out(request: pytest.FixtureRequest, printed: dict[str, Future[str]]) -> str:
    """What the test's own script printed."""
    return printed[request.node.name].result()


@pytest.mark.usefixtures("printed")
def test_proxy_client(tmp_path: Path) -> None:
    """The proxy with the configuration that ships answers the second call from the cache."""
    with ModelServer() as server:
        environment = {
            "OPENAI_API_BASE": server.base_url,
            "OPENAI_API_KEY": "none-needed",
            "OTEL_EXPORTER": "console",
            "TOKENOPT_REDIS__URL": "memory",
        }
        with Proxy(ROOT / "config" / "litellm_proxy.yaml", environment, log=tmp_path / "proxy.log") as proxy:
            out = run("proxy_client.py", LITELLM_PROXY_URL=proxy.base_url, LITELLM_API_KEY=proxy.key)
        assert len(server.recorded) == 1
    assert out.count("x-tokenopt-cache: miss") == out.count("x-tokenopt-cache: exact") == 1


def test_sdk_quickstart(out: str) -> None:
    """Two wordings of a question ask the model once."""
    assert "requests that reached the model: 1" in out


def test_direct(out: str) -> None:
    """The optimizer alone shrinks the first request and answers the second."""
    first, _, second, _ = out.splitlines()
    before, after = (int(number.replace(",", "")) for number in re.findall(r"[\d,]+", first))
    assert before > 3 * after
    assert second.endswith("→ 0")


def test_semantic_cache(out: str) -> None:
    """The answer cache by itself: another wording is served, a look-alike and another scope aren't."""
    assert [line.rpartition("? → ")[2] for line in out.splitlines()] == [
        "Open Settings, then Security. (exact)",
        "Open Settings, then Security. (semantic)",
        "no answer (miss)",
        "other scope: miss",
        "reachable: True, entries: 1",
        "removed: 1, left: 0",
        "the cache is closed",
    ]


def test_tool_registry(out: str) -> None:
    """A question gets its tool of thirteen, with only the sent schemas built; calls of every kind are carried out."""
    lines = out.splitlines()
    assert lines[0].startswith("13 tools, sent: convert_currency")
    assert lines[1] == "schemas built: 3"
    assert lines[2:4] == ["40000.00 JPY", "{'restaurant': 'Alder', 'day': '2031-02-03', 'people': 2}"]
    assert lines[4:] == ["GET /orders/A%2F7", "sensor_attic: 19 °C"]


def test_demo(out: str, folder: Path) -> None:
    """The demo with one user: fewer tokens, most facts kept, no wrong answer, and the same numbers in its files."""
    report = json.loads(out)
    assert report == json.loads((folder / "report.json").read_text("utf-8"))
    assert report["requests"] == 34
    assert report["average_after"] < 0.5 * report["average_before"]
    assert report["money"]["after"]["usd"] < 0.5 * report["money"]["before"]["usd"]
    assert report["cache"]["exact"] >= 4
    assert report["checks"]["answers_wrong"] == 0
    assert report["checks"]["facts_found"] >= 0.65 * report["checks"]["facts_total"]
    assert "34 of 34 requests are longer than 50,000 tokens" in report["notes"][0]
    spans = [json.loads(line)["name"] for line in (folder / "traces.jsonl").read_text("utf-8").splitlines()]
    assert spans.count("tokenopt.optimize") == report["requests"]
    assert "<svg" in (folder / "report.html").read_text("utf-8")
