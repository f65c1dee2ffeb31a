"""What passages are found for a question."""

from __future__ import annotations

import numpy as np

from litellm_tokenopt.context.ranking import Index, best


def index_of(*passages: str) -> Index:
    index = Index()
    for passage in passages:
        index.add(passage)
    return index


COURIER = "The courier for Skye is late again: the ferry of Hebridean Haulage was cancelled."
FERRY = "Ferry cancelled for storm; Hebridean Haulage refunds the crossing."
OTHERS = ("The tents are in Leeds.", "Ferrets like dark boxes.", "A refund of stoves takes a week.", "Ropes sold out.")


def test_what_fits_best_tells_what_else_to_look_for() -> None:
    """A passage without a word of the question is found by the words that those which have some share with it."""
    index = index_of(COURIER, *OTHERS, FERRY, "The courier asks where the ferry of Hebridean Haulage lands.")
    query = index.query("What happened to the courier?")
    alike = index.alike(query, [(1.0, COURIER), (0.9, "The courier asks where the ferry of Hebridean Haulage lands.")])
    assert {"hebridean", "haulag", "ferri"} == set(alike)
    assert index.scores(query.weights)[5] == 0
    assert index.scores(alike)[5] > 0
    assert max(alike.values()) < max(query.weights.values())


def test_what_fits_badly_tells_nothing() -> None:
    """A passage that fits less than half as well as the first has no say, and words of one passage alone none."""
    index = index_of(COURIER, *OTHERS, FERRY)
    query = index.query("Which courier?")
    assert index.alike(query, [(1.0, COURIER), (0.4, FERRY)]) == index.alike(query, [(1.0, COURIER)])
    assert not index.alike(query, [(1.0, COURIER), (0.9, OTHERS[0])])


def test_without_a_fit_nothing_is_added() -> None:
    """A question of unknown words stays as it is."""
    index = index_of(*OTHERS)
    assert not index.alike(index.query("Quo vadis?"), [])


def test_the_best_come_first_and_the_earlier_of_equals() -> None:
    """Those that have nothing to do with the question don't come, and the scores stay as they are."""
    scores = np.array([0.0, 2.0, 5.0, 2.0, 0.0, 7.0])
    assert list(best(scores)) == [5, 2, 1, 3]
    assert scores.tolist() == [0.0, 2.0, 5.0, 2.0, 0.0, 7.0]
    assert list(best(np.zeros(3))) == list(best(np.zeros(0))) == []
