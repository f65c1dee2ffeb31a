"""The classifier of words: the states that it reads, and what it does where there are none."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from litellm_tokenopt.errors import ModelUnavailable
from litellm_tokenopt.models.export import WORD_GRAPH
from litellm_tokenopt.models.files import packaged_model
from litellm_tokenopt.models.importance import TokenImportance, features, load_words
from litellm_tokenopt.models.onnx import OnnxEmbedder
from litellm_tokenopt.models.quantise import STATE_LAYERS

TEXT = "The mill in Harrow Street was founded in 1847 by two brothers from Leeds."


def words_of(text: str) -> list[tuple[int, int]]:
    starts = [n for n in range(len(text)) if not text[n].isspace() and (n == 0 or text[n - 1].isspace())]
    return [(start, start + len(text[start:].split()[0])) for start in starts]


@pytest.fixture(scope="module")
def graph(minilm):
    return load_words(minilm.exported())


def test_states_are_those_behind_the_models_first_layers(graph, reference, sentences):
    """As close to torch's as eight bits are, and each token stands where its text is."""
    import torch

    model = reference._loaded.wait()
    for text in sentences[:20]:
        offsets, states = graph.word_pieces(text)
        with torch.inference_mode():
            inputs = model.tokenizer([text], return_tensors="pt", truncation=True, max_length=256)
            expected = model[0].auto_model(**inputs, output_hidden_states=True).hidden_states[STATE_LAYERS][0].numpy()
        assert states.shape == expected.shape == (len(offsets), 384)
        cosines = (states * expected).sum(1) / np.linalg.norm(states, axis=1) / np.linalg.norm(expected, axis=1)
        assert cosines.min() >= 0.95


def test_a_words_state_is_the_mean_of_its_tokens(graph):
    """Those that start within it, markers of the text's begin and end aside."""
    words = words_of(TEXT)
    offsets, states = graph.word_pieces(TEXT)
    rows = features(graph, TEXT, words)
    for row, (start, end) in zip(rows, words, strict=True):
        own = states[[a != b and start <= a < end for a, b in offsets]].mean(0)
        assert row[:384] @ own == pytest.approx(np.linalg.norm(row[:384]) * np.linalg.norm(own), rel=1e-4)


def test_words_that_the_model_cannot_read_have_no_state(graph):
    """Neither those of nothing but control characters nor those behind its 256 tokens."""
    assert not features(graph, "\x00\x01 \x02", [(0, 2), (3, 4)])[:, :384].any()
    long = "word " * 300
    rows = features(graph, long, words_of(long))
    assert rows[200, :384].any()
    assert not rows[280, :384].any()


async def test_likely_answers_weigh_more(minilm):
    """Names, places and years more than what stands around them; the same each time."""
    words = words_of(TEXT)
    found = await TokenImportance(minilm).weigh(TEXT, words)
    weights = dict(zip([TEXT[a:b] for a, b in words], found, strict=True))
    assert min(weights["1847"], weights["Leeds."]) > 0.5 > max(weights["was"], weights["The"])
    assert found == await TokenImportance(minilm).weigh(TEXT, words)


async def test_a_missing_graph_is_a_clear_error(minilm, tmp_path):
    """Whoever asks for weights is told, and passes the text on."""
    embedder = OnnxEmbedder(packaged_model(), tmp_path, threads=1)
    shutil.copytree(minilm.exported(), embedder.folder)
    (embedder.folder / WORD_GRAPH).unlink()
    with pytest.raises(ModelUnavailable, match="classifier of words"):
        await TokenImportance(embedder).weigh(TEXT, words_of(TEXT))
