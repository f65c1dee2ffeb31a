"""Choosing a backend, and saying clearly what is missing."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.models import hosted, packages, sentence
from litellm_tokenopt.models import minilm as packaged
from litellm_tokenopt.models.build import build_embedder, check, describe, warmup
from litellm_tokenopt.models.files import find_model, is_exportable
from litellm_tokenopt.models.hosted import TEXTS_PER_CALL, HostedEmbedder
from litellm_tokenopt.models.once import Once
from litellm_tokenopt.models.onnx import OnnxEmbedder
from litellm_tokenopt.models.sentence import SentenceTransformerEmbedder
from litellm_tokenopt.settings import EmbedderSettings

PIP_LINE = r"pip install 'litellm-tokenopt\[local\]'"


@pytest.fixture
def without(monkeypatch):
    """Makes packages look as if they were not installed."""

    def hide(*names: str) -> None:
        find_spec = packages.find_spec
        monkeypatch.setattr(packages, "find_spec", lambda name: None if name in names else find_spec(name))

    return hide


@pytest.mark.parametrize("alias", ["all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2"])
def test_both_names_mean_the_packaged_model(alias):
    """The packaged files serve without a hub."""
    files = find_model(alias)
    assert files.folder == packaged.packaged_folder()
    assert files.name == "all-MiniLM-L6-v2"


def test_auto_serves_with_onnx_runtime(tmp_path):
    """Where its packages are."""
    embedder = build_embedder(EmbedderSettings(cache_dir=str(tmp_path)))
    assert isinstance(embedder.inner, OnnxEmbedder)
    assert (embedder.name, embedder.dimensions) == ("all-MiniLM-L6-v2-onnx-int8", 384)


@pytest.mark.parametrize("missing", ["onnxruntime", "tokenizers", "onnx"])
def test_auto_falls_back_to_sentence_transformers(missing, without, tmp_path):
    """Where ONNX Runtime can't serve, or can't be exported for."""
    without(missing)
    embedder = build_embedder(EmbedderSettings(cache_dir=str(tmp_path)))
    assert isinstance(embedder.inner, SentenceTransformerEmbedder)
    assert embedder.name == "all-MiniLM-L6-v2-sentence-transformers"


def test_an_export_serves_without_the_packages_that_made_it(minilm, without, monkeypatch):
    """A server with the exported folder needs neither torch nor the model's package."""
    without(*packages.EXPORTING)
    monkeypatch.setattr(packaged, "PACKAGE", "no_such_package")
    check(EmbedderSettings())
    assert warmup(EmbedderSettings()) == minilm.folder


@pytest.mark.parametrize("backend", ["onnx", "sentence-transformers", "auto"])
async def test_missing_packages_are_named_with_their_pip_line(backend, without, tmp_path):
    """By check() at once, and by embed(); building raises nothing."""
    without("onnxruntime", "sentence_transformers")
    settings = EmbedderSettings(backend=backend, cache_dir=str(tmp_path))
    with pytest.raises(ModelUnavailable, match=PIP_LINE):
        check(settings)
    with pytest.raises(ModelUnavailable, match=PIP_LINE):
        await build_embedder(settings).embed(["a"])


async def test_missing_files_are_named_with_their_pip_line(monkeypatch, tmp_path):
    """The packaged model comes with the same extra."""
    monkeypatch.setattr(packaged, "PACKAGE", "no_such_package")
    settings = EmbedderSettings(backend="onnx", cache_dir=str(tmp_path))
    with pytest.raises(ModelUnavailable, match=PIP_LINE):
        await build_embedder(settings).embed(["a"])
    assert describe(settings)["problem"].startswith("the files of all-MiniLM-L6-v2 are missing")


async def test_a_model_that_cannot_be_exported_says_so(tmp_path):
    """Backend onnx explains what it takes."""
    settings = EmbedderSettings(model="some/other-model", backend="onnx")
    with pytest.raises(ModelUnavailable, match=r"some/other-model can't be exported"):
        await build_embedder(settings).embed(["a"])
    assert not describe(settings)["ok"]


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', '[{"type": "x.Dense"}]'])
def test_strange_folders_are_not_exportable(tmp_path, text):
    """Files that are no model's raise nothing."""
    for name in ("model.safetensors", "tokenizer.json", "config.json", "modules.json"):
        (tmp_path / name).write_text(text)
    assert not is_exportable(tmp_path)


async def test_a_model_that_cannot_be_had_is_told(monkeypatch):
    """Neither folder, nor in the hub's cache, nor a hub to ask."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    embedder = build_embedder(EmbedderSettings(model="nobody/has-such-a-model"))
    with pytest.raises(ModelUnavailable, match="nobody/has-such-a-model is neither"):
        await embedder.embed(["a"])


async def test_sentence_transformers_serves(reference):
    """Unit rows in order, (0, d) for no texts, and odd texts work."""
    texts = ["a dog", "", "\ud800", "a dog"]
    vectors = await reference.embed(texts)
    assert vectors.shape == (4, reference.dimensions) == (4, 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[0], vectors[3], atol=1e-6)
    assert (await reference.embed([])).shape == (0, 384)


async def letters(texts: list[str]) -> list[list[float]]:
    return [[float(len(text)), float(text.count("a")), 1.0] for text in texts]


async def test_hosted_vectors_are_made_unit_and_kept_in_order():
    """Over as many calls as it takes; the dimensions are known then."""
    embedder = HostedEmbedder("api", letters)
    texts = ["a" * count for count in range(1, TEXTS_PER_CALL + 10)]
    vectors = await embedder.embed(texts)
    expected = np.array(await letters(texts), np.float32)
    assert np.allclose(vectors, expected / np.linalg.norm(expected, axis=1, keepdims=True))
    assert vectors.dtype == np.float32
    assert embedder.dimensions == 3
    assert (await embedder.embed([])).shape == (0, 3)


async def test_hosted_never_sends_an_empty_text():
    """APIs refuse those."""
    sent: list[str] = []

    async def embed(texts: list[str]) -> list[list[float]]:
        sent.extend(texts)
        return await letters(texts)

    await HostedEmbedder("api", embed).embed(["", "  ", "\ud800", "a"])
    assert all(text.strip() and text.encode() for text in sent)


@pytest.mark.parametrize("answer", [[], [[1.0], [2.0]], [[]]])
async def test_hosted_answers_are_checked(answer):
    """One vector a text, all of one length."""

    async def embed(texts: list[str]) -> list[list[float]]:
        return answer

    with pytest.raises(ModelUnavailable, match="api gave"):
        await HostedEmbedder("api", embed).embed(["a"])


async def test_hosted_errors_are_the_models():
    """Whatever the API raises becomes ModelUnavailable; dimensions aren't known before."""

    async def embed(texts: list[str]) -> list[list[float]]:
        raise TimeoutError("too slow")

    embedder = HostedEmbedder("api", embed)
    with pytest.raises(ModelUnavailable, match="TimeoutError: too slow"):
        await embedder.embed(["a"])
    with pytest.raises(ModelUnavailable, match="known once"):
        _ = embedder.dimensions


async def test_the_litellm_backend_uses_what_is_handed_in():
    """And says so where nothing is."""
    settings = EmbedderSettings(model="text-embedding-3-small", backend="litellm")
    assert (await build_embedder(settings, hosted=letters).embed(["a"])).shape == (1, 3)
    with pytest.raises(ModelUnavailable, match="enabled in LiteLLM"):
        await build_embedder(settings).embed(["a"])
    assert describe(settings) == {"backend": "litellm", "model": "text-embedding-3-small", "ok": True}
    assert warmup(settings) is None


async def test_a_value_is_made_once_even_when_a_waiter_gives_up():
    """A request's time budget doesn't stop the loading that others wait for."""
    made: list[int] = []
    go = threading.Event()

    def make() -> int:
        go.wait()
        made.append(1)
        return 7

    once = Once(make)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(once.get(), 0.01)
    waiters = [asyncio.create_task(once.get()) for _ in range(5)]
    await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(*waiters) == [7] * 5
    assert once.wait() == 7
    assert made == [1]


def test_a_loop_that_is_gone_is_not_called_back(caplog):
    """What waited on a closed loop is forgotten without a word in the log."""
    go = threading.Event()
    once = Once(go.wait)
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(once.get(), 0.01))
    go.set()
    assert once.wait()
    assert caplog.records == []


async def test_a_failure_is_kept_and_told_again():
    """It's made no second time, and the cause stays visible."""
    made: list[int] = []

    def fail() -> None:
        made.append(1)
        raise ModelUnavailable("no such file") from OSError("gone")

    once = Once(fail)
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match="no such file") as caught:
            await once.get()
        assert isinstance(caught.value.__cause__, OSError)
    assert made == [1]


async def test_a_failure_is_tried_again_after_a_while(caplog):
    """What was gone may be back; each failure is one line of log."""
    made: list[int] = []

    def fail_once() -> int:
        made.append(1)
        if len(made) == 1:
            raise ModelUnavailable("no such file")
        return 7

    once = Once(fail_once, retry_seconds=0)
    with pytest.raises(ModelUnavailable):
        await once.get()
    assert await once.get() == 7
    assert [record.getMessage() for record in caplog.records] == [
        "no such file (requests pass on without it; tried again in 0 s)"
    ]


async def test_nobody_waits_beyond_the_patience():
    """It runs from the begin of the loading: who comes later than that is told at once."""
    go = threading.Event()
    once = Once(go.wait)
    with pytest.raises(ModelUnavailable, match="still being loaded"):
        await once.get(0.05)
    begun = time.monotonic()
    for _ in range(50):
        with pytest.raises(ModelUnavailable, match="still being loaded"):
            await once.get(0.05)
    assert time.monotonic() - begun < 1
    go.set()
    assert await once.get()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port of the loopback whose listener never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


async def test_a_hub_that_cannot_be_reached_ends_soon(silent_port, tmp_path, monkeypatch):
    """No network costs seconds, once, and says what to do."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent_port}")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(sentence, "HUB_SECONDS", 0.5)
    embedder, begun = build_embedder(EmbedderSettings(model="some/hub-name")), time.monotonic()
    said = r"^embedder\.model some/hub-name is neither .*Timeout.* give a folder that holds the model"
    for _ in range(3):
        with pytest.raises(ModelUnavailable, match=said):
            await embedder.embed(["a"])
    assert time.monotonic() - begun < 30  # the hub's own loading takes minutes


async def test_an_api_that_stays_silent_is_left_alone(monkeypatch, caplog):
    """One call has waited; the next ones don't, until the pause is over."""
    monkeypatch.setattr(hosted, "SLOW_SECONDS", 0.01)
    calls: list[int] = []

    async def hang(texts: list[str]) -> list[list[float]]:
        calls.append(1)
        await asyncio.sleep(0.05)
        raise TimeoutError("too slow")

    embedder = HostedEmbedder("api", hang)
    for _ in range(3):
        with pytest.raises(ModelUnavailable):
            await embedder.embed(["a"])
    assert calls == [1]
    assert len(caplog.records) == 1
    monkeypatch.setattr(embedder, "_silent_until", 0.0)
    with pytest.raises(ModelUnavailable, match="too slow"):
        await embedder.embed(["a"])
