"""The served model: agreement, order, odd texts, and no torch."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.models.onnx import TOKENS_PER_JOB, Graph, jobs_of

ODD_TEXTS = ("", " ", "\n\t", "\x00", "\ud800", "🙂" * 300, "a" * 100_000, "word " * 20_000, "मुझे 图书馆", "e\u0301")


async def test_agrees_with_sentence_transformers(minilm, reference, sentences):
    """8 bits cost less than 0.02 of cosine for any sentence, and 0.003 on average."""
    agreement = (await minilm.embed(sentences) * await reference.embed(sentences)).sum(axis=1)
    assert len(sentences) >= 100
    assert agreement.min() >= 0.98
    assert agreement.mean() >= 0.997


async def test_long_texts_agree(minilm, reference, sentences):
    """Both read the same first 256 tokens."""
    texts = [" ".join(sentences[start : start + 40]) for start in (0, 40, 79)]
    assert (await minilm.embed(texts) * await reference.embed(texts)).sum(axis=1).min() >= 0.98


async def test_similarities_survive(minilm, reference, sentences):
    """The cosine of two sentences moves by less than 0.05."""
    ours, theirs = await minilm.embed(sentences), await reference.embed(sentences)
    assert np.abs(ours @ ours.T - theirs @ theirs.T).max() < 0.05


async def test_no_texts_give_no_rows(minilm):
    """An empty list has shape (0, dimensions)."""
    assert (await minilm.embed([])).shape == (0, 384)


async def test_odd_texts_have_unit_vectors(minilm):
    """Empty, huge, foreign, broken unicode: nothing raises, everything has length 1."""
    vectors = await minilm.embed(ODD_TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.flags.c_contiguous
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


async def test_a_vector_depends_on_its_text_alone(fresh, sentences):
    """Alone, among others or in another order, a text has the same bits."""
    among, others = await fresh().embed(sentences), fresh()
    for row in (0, 58, 118):
        assert np.array_equal(among[row], (await others.embed([sentences[row]]))[0])
    assert np.array_equal(among[::-1], await fresh().embed(sentences[::-1]))


async def test_forms_of_the_same_tokens_are_embedded_once(fresh, monkeypatch):
    """Case and spaces make no other vector, and no other run of the model, in one call or several."""
    embedder, runs, vectors = fresh(), [], Graph.vectors
    monkeypatch.setattr(Graph, "vectors", lambda graph, tokens: runs.append(len(tokens)) or vectors(graph, tokens))
    first = await embedder.embed(["Who pays the courier?", "who pays  the COURIER?", "Who pays the courier"])
    again = await embedder.embed(["who pays the courier ?", "Who pays it"])
    assert sum(runs) == 3
    assert np.array_equal(first[0], first[1])
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], first[2])


async def test_calls_at_once_get_their_own_rows(fresh, sentences):
    """Concurrent calls, loops of other threads included, don't mix."""
    expected, minilm = await fresh().embed(sentences[:24]), fresh()
    calls = [minilm.embed(sentences[row : row + 3]) for row in range(0, 24, 3)]
    other_loop = asyncio.to_thread(asyncio.run, minilm.embed(sentences[:24]))
    *parts, elsewhere = await asyncio.gather(*calls, other_loop)
    assert np.array_equal(np.concatenate(parts), expected)
    assert np.array_equal(elsewhere, expected)


@given(st.lists(st.lists(st.just(1), min_size=2, max_size=256), max_size=40))
@settings(max_examples=30)
def test_jobs_cover_each_row_once(tokens):
    """Longest first, none lost, none twice, one length a job, and no job that holds others up for long."""
    jobs = jobs_of(tokens)
    rows = [row for job in jobs for row in job]
    assert sorted(rows) == list(range(len(tokens)))
    lengths = [len(tokens[row]) for row in rows]
    assert lengths == sorted(lengths, reverse=True)
    assert all(len({len(tokens[row]) for row in job}) == 1 for job in jobs)
    assert all(sum(len(tokens[row]) for row in job) <= TOKENS_PER_JOB for job in jobs)


def test_the_loop_stays_free(fresh, sentences):
    """While 100 texts are embedded, the event loop goes on turning."""
    minilm = fresh()

    async def turns() -> int:
        count = 0
        task = asyncio.create_task(minilm.embed(sentences[:100]))
        while not task.done():
            await asyncio.sleep(0.001)
            count += 1
        return count

    assert asyncio.run(turns()) > 10


def test_serving_imports_no_torch(minilm):
    """The serving process has neither torch nor transformers nor sentence-transformers."""
    code = (
        "import asyncio, sys; from litellm_tokenopt.models.build import build_embedder; "
        "from litellm_tokenopt.settings import EmbedderSettings; "
        "vectors = asyncio.run(build_embedder(EmbedderSettings()).embed(['hello'])); "
        "print(vectors.shape, [n for n in ('torch', 'transformers', 'sentence_transformers') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "(1, 384) []"


def test_building_imports_nothing_heavy():
    """Choosing a backend loads no runtime and no numpy."""
    code = (
        "import sys; from litellm_tokenopt.models.build import build_embedder; "
        "from litellm_tokenopt.settings import EmbedderSettings; build_embedder(EmbedderSettings()).name; "
        "print([n for n in ('torch', 'onnxruntime', 'tokenizers', 'numpy') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
