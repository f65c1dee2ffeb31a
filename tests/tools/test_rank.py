"""How tools are ranked for a question."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from litellm_tokenopt.tools.family import kinship
from litellm_tokenopt.tools.rank import HINT_TEXTS, LEAST_SHARE, SEEDS, SURE, Fit, Lexicon, fit, query_texts
from litellm_tokenopt.tools.reading import name_of, summary


async def ranked(question: str, tools: Any, embedder: Any) -> list[str]:
    vectors = await embedder.embed([summary(tool) for tool in tools])
    cosines = await embedder.embed(query_texts(question)) @ vectors.T
    hints = await embedder.embed(HINT_TEXTS) @ vectors.T
    return [
        name_of(tools[index]) or ""
        for index in fit(question, Lexicon(tools), cosines, cosines, hints, kinship(tools)).order
    ]


QUESTIONS = {
    "Will it rain in Lisbon tomorrow?": {"get_weather"},
    "How much is 300 dollars in yen?": {"convert_currency"},
    "Wake me at six": {"set_alarm"},
    "Where is my package now?": {"track_parcel"},
    "Reserve a room in Vienna for two nights and a table for four at an Italian place": {"book_hotel", "book_table"},
    "Give the customer her money back, then write her a short mail about it": {"refund_payment", "send_email"},
    "Who won the elections in Chile?": {"web_search"},
    "grep the config for the port number": {"run_command"},
    "300美元能兑换多少日元": {"convert_currency"},
}


@pytest.fixture(scope="module")
def minilm() -> Any:
    """The packaged model."""
    from litellm_tokenopt.models.build import build_embedder
    from litellm_tokenopt.settings import EmbedderSettings

    return build_embedder(EmbedderSettings())


@pytest.mark.parametrize("question", QUESTIONS)
async def test_every_step_brings_its_tool_forward(question: str, catalogue: Any, minilm: Any) -> None:
    """The tools that a question needs are among the first six of forty, also where they share no word with it."""
    assert QUESTIONS[question] <= set((await ranked(question, catalogue, minilm))[:6])


async def test_shared_words_decide_between_like_meanings(catalogue: Any, embedder: Any) -> None:
    """The tool that has the question's rare words comes first."""
    assert (await ranked("cancel the calendar event 77", catalogue, embedder))[0] == "cancel_calendar_event"


def test_rare_words_weigh_more(catalogue: Any) -> None:
    """A word that one tool has scores more there than a word that many have."""
    lexicon = Lexicon(catalogue)
    assert lexicon.score("taxi").max() > lexicon.score("customer").max() > 0
    assert not lexicon.score("zebra").any()


def test_tools_that_fit_alike_keep_their_order() -> None:
    """With nothing to tell tools apart, the order is the block's own."""
    tools = [{"type": "function", "function": {"name": "same"}}] * 5
    flat = np.ones((1, 5), np.float32)
    hints = np.ones((len(HINT_TEXTS), 5), np.float32)
    assert fit("anything else", Lexicon(tools), flat, flat, hints, kinship(tools)).order == (0, 1, 2, 3, 4)


def test_general_tools_come_right_behind_the_best() -> None:
    """Where a question's form asks for a shell, say, it is there though eight tools share more words with it."""
    score = 5 - np.arange(12.0) / 10
    found = Fit(score, score, score, np.zeros((12, 12)), general=(11, 2)).broad_order
    assert found[: SEEDS + 2] == (*range(SEEDS), 11, SEEDS)
    assert sorted(found) == list(range(12))


def test_what_only_shares_a_word_takes_no_seat_of_the_best_ones_family() -> None:
    """ "I need to change my flight": tools that change files and settings come behind the other tools for flights."""
    score = 5 - np.arange(12.0) / 10
    cosine, kinship = np.full(12, 0.4), np.zeros((12, 12))
    cosine[[4, 5]] = 0.1
    kinship[:4, 8:] = 1.0
    assert Fit(score, cosine, score, kinship).broad_order == (0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7)
    assert Fit(score, np.full(12, 0.4), score, kinship).broad_order[:6] == (0, 1, 2, 3, 4, 5)


def test_what_is_far_behind_is_left_out() -> None:
    """Beyond the few that always come, a tool needs its share of the best one's score."""
    best = 8.0
    score = np.array([best, *[0.0] * 8, 1.01 * LEAST_SHARE * best])
    found = Fit(score, score, score, np.zeros((10, 10))).broad_order
    assert found[:2] == (0, 9)
    assert len(found) == SURE
    even = np.full(10, best)
    assert len(Fit(even, even, even, np.zeros((10, 10))).broad_order) == 10


async def test_without_what_it_quotes_a_request_is_another(catalogue: Any, minilm: Any) -> None:
    """A subject in quotation marks doesn't hide what is to be done about it."""
    asked = "remind me of 'send the refund mail about the hotel invoice in Rome'"
    assert query_texts(asked)[1] == "remind me of something"
    assert "set_alarm" in (await ranked(asked, catalogue, minilm))[:6]
