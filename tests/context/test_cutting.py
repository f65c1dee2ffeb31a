"""What a cut leaves of messages by their level."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from litellm_tokenopt.context.cutting import Cut, Quotas, cut, quote
from litellm_tokenopt.context.marks import DIGEST_HEAD, RECALL_HEAD, Marks, MarksWithIds, PlainMarks
from litellm_tokenopt.context.thinning import kept_shares
from litellm_tokenopt.context.units import Level, Unit, add, open_unit, part_of
from litellm_tokenopt.tokens import count_message

LEVELS = (Level.BACKGROUND, Level.IMPORTANT, Level.CRITICAL)


def rounds(count: int) -> list[Unit]:
    """Calls, each with a result of about 440 tokens in some 20 passages."""
    units: list[Unit] = []
    base = 0
    for number in range(count):
        call = {"id": f"c{number}", "function": {"name": "read", "arguments": "{}"}}
        shelves = (f"Shelf {number}-{n} holds {n * number} boxes of rope and a note that says so" for n in range(60))
        for message in (
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{number}", "content": ". ".join(shelves)},
        ):
            part = part_of(message, 2 * number + (message["role"] == "tool"), base)
            base += len(part.numbers)
            units.append(open_unit(part)) if part.place % 2 == 0 else add(units[-1], part)
    return units


def left(units: list[Unit], budget: int, room: int, shares: Mapping[Level, float]) -> tuple[Cut, dict[Level, float]]:
    """What is left of each level's results, where the scores speak for the least important ones."""
    levels = [LEVELS[place // 2 % 3] for place in range(2 * len(units))]
    parts = [part for unit in units for part in unit.parts]
    costs = [cost for part in parts for cost in part.costs()]
    scores = [2.0 - levels[part.place] for part in parts for _ in part.numbers]
    found = cut(
        units, whole=[False] * len(units), scores=scores, costs=costs,
        budget_tokens=budget, marks=MarksWithIds(), quotas=Quotas(levels, shares, room),
    )  # fmt: skip
    of = {level: [n for part in parts if levels[part.place] is level for n in part.numbers] for level in Level}
    shown = {
        level: sum(costs[n] for n in numbers if n not in found.hidden) / sum(costs[n] for n in numbers)
        for level, numbers in of.items()
    }
    return found, shown


@pytest.mark.parametrize(("recallable", "wanted"), [(True, (0.3, 0.6, 0.9)), (False, (0.65, 0.8, 0.95))])
def test_where_there_is_room_each_level_gets_its_share(recallable: bool, wanted: tuple[float, ...]) -> None:
    """More of all of them where the model can't ask for what was left out."""
    units = rounds(6)
    _, shown = left(units, 600, 9_000, kept_shares(3, recallable))
    assert [shown[level] for level in LEVELS] == pytest.approx(wanted, abs=0.07)


def test_where_there_is_little_the_critical_get_theirs_first() -> None:
    """Then the important; the budget holds."""
    units = rounds(12)
    total = sum(unit.tokens for unit in units)
    found, shown = left(units, int(0.15 * total), int(0.3 * total), kept_shares(3, True))
    assert shown[Level.CRITICAL] > 0.8
    assert 0.2 < shown[Level.IMPORTANT] < 0.6
    assert shown[Level.BACKGROUND] < 0.1
    assert found.tokens <= 0.5 * total


def test_something_of_each_critical_message_stays() -> None:
    """Before more of any, though one fits much better: what is left of none can't remind of anything."""
    units = rounds(12)
    found, _ = left(units, 300, 400, kept_shares(3, True))
    critical = [part for unit in units for part in unit.parts if part.answers][2::3]
    assert all(any(number not in found.hidden for number in part.numbers) for part in critical)


def test_without_quotas_the_scores_decide() -> None:
    """A question chooses for itself; room that is for quotas alone isn't used for more."""
    units = rounds(12)
    total = sum(unit.tokens for unit in units)
    found, shown = left(units, int(0.3 * total), int(0.3 * total), {})
    assert shown[Level.BACKGROUND] > 0.5
    assert shown[Level.CRITICAL] < 0.1
    assert found.tokens <= 0.35 * total


@pytest.mark.parametrize("marks", [MarksWithIds(), PlainMarks()])
@given(kept=st.sets(st.integers(0, 400)))
@settings(max_examples=40, deadline=None)
def test_what_a_quote_will_take_is_known_before_it_is_written(marks: Marks, kept: set[int]) -> None:
    """Within a tenth, whatever is kept; and it is never larger than what it stands for."""
    units = rounds(12)
    costs = [cost for unit in units for part in unit.parts for cost in part.costs()]
    said = quote(DIGEST_HEAD, units, kept, costs, marks, instead=units)
    items, whole = said.items(), sum(unit.tokens for unit in units)
    if isinstance(items[0], int):
        assert said.tokens > 0.9 * whole
        return
    tokens = sum(count_message(item) for item in items if not isinstance(item, int))
    assert said.tokens == pytest.approx(tokens, rel=0.1, abs=10)
    assert tokens < whole


def test_what_is_said_again_is_a_message_whatever_it_takes() -> None:
    """Even where its units would take no more: they are somewhere else already."""
    units = rounds(1)
    costs = [cost for part in units[0].parts for cost in part.costs()]
    (message,) = quote(f"{RECALL_HEAD}{' so' * 900}", units, range(len(costs)), costs, PlainMarks()).items()
    assert not isinstance(message, int)
    assert quote(RECALL_HEAD * 90, units, range(len(costs)), costs, PlainMarks(), instead=units).items() == (0, 1)
