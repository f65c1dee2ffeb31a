"""What every text compressor holds to, and what each of them is for."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from litellm_tokenopt.models.build import build_embedder, build_importance
from litellm_tokenopt.prompt.compressor import TextCompressor
from litellm_tokenopt.prompt.extractive import SentenceSelector
from litellm_tokenopt.prompt.importance import TokenCompressor
from litellm_tokenopt.prompt.quality import quality
from litellm_tokenopt.prompt.words import cut, firm, sentences_of, words_of
from litellm_tokenopt.settings import EmbedderSettings
from litellm_tokenopt.tokens import count_text

TEXT = """The nightly export of the Quarrel ledger starts at 02:15 and usually takes about forty minutes or so.
It is written by the job `export --all` into the folder /srv/ledger/out, which is really quite a large one these days.
You must never restart the database "blue-7" while the export is running, because half-written files would be sent.
As a matter of fact, most people in the team agree that the whole thing should be rewritten at some point in time.
If more than 3.5 GB are written, Marta Olsen gets a mail at marta@quarrel.example and decides what to do about it.

```sh
ledger status --since 02:00
```
The weather in the mountains was fine, by the way, and everybody had a very good time at the party that evening.
"""
QUESTION = "Who decides when the export writes too much?"


@pytest.fixture(scope="module")
def compressors() -> dict[str, TextCompressor]:
    found = (
        SentenceSelector(build_embedder(EmbedderSettings())),
        TokenCompressor(build_importance(EmbedderSettings())),
    )
    return {one.name: one for one in found}


@pytest.fixture(params=["extractive", "tokens"])
def compressor(request: pytest.FixtureRequest, compressors: dict[str, TextCompressor]) -> TextCompressor:
    return compressors[request.param]


def is_part_of(found: str, text: str) -> bool:
    """Whether the words of *found* are words of *text* in their order."""
    rest = iter(text.split())
    return all(word in rest for word in found.split())


@pytest.mark.parametrize("question", ["", QUESTION])
@pytest.mark.parametrize("ratio", [0.2, 0.5, 0.8])
async def test_shorter_in_its_own_words(compressor: TextCompressor, ratio: float, question: str) -> None:
    """A text comes back with fewer tokens, in its own words and their order, the same each time."""
    found = await compressor.compress(TEXT, ratio, question)
    assert 0 < count_text(found) < count_text(TEXT)
    assert is_part_of(found, TEXT)
    assert await compressor.compress(TEXT, ratio, question) == found


async def test_whole(compressor: TextCompressor) -> None:
    """A ratio of 1 changes nothing, nor does any ratio change what can't be cut."""
    assert await compressor.compress(TEXT, 1.0) == TEXT
    for text in ("", " \n", "Yes."):
        assert await compressor.compress(text, 0.1) == text


@limits(max_examples=25)
@given(st.text(max_size=400), st.floats(0.05, 1), st.sampled_from(["", "what is \ud800 7?"]))
def test_any_text(compressors: dict[str, TextCompressor], text: str, ratio: float, question: str) -> None:
    """Whatever a text holds, nothing raises, no token is added, and no word is new."""
    for compressor in compressors.values():
        found = asyncio.run(compressor.compress(text, ratio, question))
        assert count_text(found) <= count_text(text)
        assert is_part_of(found, text)


async def test_a_question_gets_its_sentence(compressors: dict[str, TextCompressor]) -> None:
    """Sentences are chosen whole, for the question."""
    found = await compressors["extractive"].compress(TEXT, 0.35, QUESTION)
    assert "Marta Olsen gets a mail at marta@quarrel.example and decides what to do about it." in found
    assert "weather" not in found


async def test_what_must_stay(compressors: dict[str, TextCompressor]) -> None:
    """Numbers with units, identifiers, code, quotes, negations, modal verbs and names stay at any ratio."""
    found = await compressors["tokens"].compress(TEXT, 0.05)
    fence = "```sh\nledger status --since 02:00\n```"
    for piece in ("02:15", "forty minutes", "`export --all`", "/srv/ledger/out", "must never", '"blue-7"', "3.5 GB"):
        assert piece in found
    assert fence in found
    assert "Marta Olsen" in found
    assert "marta@quarrel.example" in found
    assert quality(TEXT, found).numbers == quality(TEXT, found).identifiers == 1


@pytest.mark.parametrize(
    "piece",
    ["2.5 bar", "30 psi", "80 mph", "天気は25度です。", "@ilse", "Dr. Zora Helm", "Łucja Żak", "Ольга"],
)
async def test_units_and_names_must_stay(compressors: dict[str, TextCompressor], piece: str) -> None:
    """A number keeps its unit, also in scripts without spaces; a handle is a name, and so is what follows a title."""
    told = f"In the end, as it happens, what was said there is {piece} and then a good deal more of the same sort."
    assert piece in await compressors["tokens"].compress(told, 0.1)


@pytest.mark.parametrize("call", ["compute_total(x, y)", "scale(fit(a, b), size=3)", 'log("so it is", level)'])
async def test_calls_must_stay_whole(compressors: dict[str, TextCompressor], call: str) -> None:
    """What stands between a call's brackets is part of it, wherever blanks are."""
    told = f"In the end, as it happens, what was said there is {call} and then a good deal more (of the same sort)."
    found = await compressors["tokens"].compress(told, 0.1)
    assert call in found
    assert "same sort" not in found


async def test_filler_goes_first(compressors: dict[str, TextCompressor]) -> None:
    """What no question asks for is left out before what one might."""
    found = await compressors["tokens"].compress(
        "Well, as a matter of fact, the pump is driven by a steam engine.", 0.6
    )
    assert "a steam engine" in found
    assert "matter" not in found


@given(st.text(alphabet=st.sampled_from('ab C7.\n"`|!? \u201c\u201d_/-()'), max_size=120))
def test_words_and_sentences_tile_a_text(text: str) -> None:
    """Words and sentences are apart, in order, hold all but white space, and together are the text again."""
    for spans in (words_of(text), sentences_of(text)):
        assert all(a < b for a, b in spans)
        assert all(before <= after for (_, before), (after, _) in pairwise(spans))
        outside = re.sub(r"\S", "", text)
        assert len(text) - sum(b - a for a, b in spans) <= len(outside)
        assert cut(text, spans) == (text if spans else "")
    assert len(firm(text, words_of(text))) == len(words_of(text))


def test_quality_counts_facts() -> None:
    """A lost number, name or rule lowers what was kept; nothing lost is 1."""
    text = "The fee is 40 euros. Agents must ask Lena Brandt before they waive it in `billing_v2`."
    assert quality(text, text).kept == quality(text, text).words == quality(text, text).ratio == 1
    lost = quality(text, "The fee is euros. Agents ask Lena before they waive it in `billing_v2`.")
    assert lost.numbers == 0
    assert lost.names == 0.5
    assert lost.identifiers == 1
    assert quality("It is said that J. Brandt and Dr. Żak left.", "It is said that they left.").names == 0
    assert lost.rules < 1
    assert 0 < lost.kept < 1
    assert 0 < lost.words < 1


def test_quality_for_a_question() -> None:
    """With a question, only what it asks for must have been kept."""
    text = "The fee is 40 EUR. Lena Brandt runs the shop in Ulm."
    assert quality(text, "The fee is 40 EUR.", "How much is the fee?").kept == 1
    assert quality(text, "The fee is 40 EUR.", "Who runs the shop?").kept < 1
    ruled = f"{text} Never lend the keys."
    assert quality(ruled, "The fee is 40 EUR.", "How much is the fee?").kept < 1


async def test_of_long_texts_not_all_is_read(compressors: dict[str, TextCompressor]) -> None:
    """The sentence that the question asks for is among what a thousand others leave of a text."""
    filler = [f"Berth {n} was painted in the colour of sand by the crew of the morning." for n in range(1_000)]
    text = " ".join([*filler[:700], "The Quarrel ledger is audited by Ms Okafor in May.", *filler[700:]])
    found = await compressors["extractive"].compress(text, 0.1, "Who audits the Quarrel ledger?")
    assert "audited by Ms Okafor" in found
    assert count_text(found) <= 0.1 * count_text(text) + 1
