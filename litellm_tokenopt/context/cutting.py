"""Cut what lies behind an epoch's boundary to a budget: which passages stay, and how they are written.

Units of plain messages that are not kept whole, side by side, become one digest message; rounds of tool calls
stay in place with their results shortened, the oldest of them go into the digest too, call and results together.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress, islice, pairwise
from operator import gt, not_
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from ..request import Message, is_text_part
from ..tokens import MESSAGE_OVERHEAD, count_message, count_text
from .marks import DIGEST_HEAD, Marks, has_marks, is_shortened, left_out
from .passages import Gap
from .units import Level, Part, Unit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Item: TypeAlias = int | Message
"""A message of what is sent: its place in the conversation, or a message that the stage wrote."""

SMALL_TOKENS = 40
"""Messages and runs of this size cost no less when they are cut."""

STUB_TOKENS = 24
LINE_TOKENS = 4
LEAST_TOKENS = 8
DIGEST_TOKENS = 30
CONSTRAINT_SHARE = 0.05
TASK_SHARE = 0.2
ROUNDS_SHARE = 0.4
SUMMARIES_SHARE = 0.5
AT_ONCE = 128
LEAST_SHARE = 0.1
"""So much of the budget is for what fits best, and for summaries, even where what stands fills it, as thoughts and pins
may."""


@dataclass(frozen=True, slots=True)
class Summary:
    """What a model says of the messages from place `first` to `last`, in so many tokens."""

    first: int
    last: int
    text: str
    tokens: int


Summarise: TypeAlias = Callable[[Sequence[int], float], Sequence[Summary]]
"""The summaries that stand for some of the units with these numbers, which all go into digests, in so many tokens."""


@dataclass(frozen=True, slots=True)
class Quotas:
    """What should stay of messages by their level, as shares; `levels` are by place. So many tokens of `room` beyond
    the budget are for that alone."""

    levels: Sequence[Level]
    shares: Mapping[Level, float]
    room: int


NO_QUOTAS = Quotas((), {}, 0)


def no_summaries(_: Sequence[int], __: float) -> Sequence[Summary]:
    """Nothing is summarised."""
    return ()


@dataclass(frozen=True, slots=True)
class Cut:
    """What an epoch leaves: the items, their tokens, and the passages that are not in them; `summaries` is how many of
    those there are in its digests."""

    items: tuple[Item | Quote, ...]
    tokens: int
    hidden: frozenset[int]
    messages_cut: int
    summaries: int


def cut(
    units: Sequence[Unit],
    *,
    whole: Sequence[bool],
    scores: Sequence[float] | NDArray[np.float64],
    costs: Sequence[int],
    budget_tokens: int,
    marks: Marks,
    quotas: Quotas,
    summarise: Summarise = no_summaries,
) -> Cut:
    """*units* in about *budget_tokens*: those of *whole* as they are, of the others the best passages by *scores*.

    *scores* and *costs* (tokens) are by passage number. What must stay may exceed the budget. Where there are summaries
    of what goes into a digest they come first, and passages in the room that they leave: those that *quotas* demand,
    then others.
    """
    import numpy as np

    worth = np.asarray(scores, np.float64)
    plan = _Plan(units, whole, costs, budget_tokens + quotas.room)
    summaries = summarise(plan.digested, max(SUMMARIES_SHARE * plan.left, LEAST_SHARE * budget_tokens))
    plan.left -= sum(summary.tokens for summary in summaries)
    plan.meet(quotas, worth)
    plan.left = max(plan.left - quotas.room, int(LEAST_SHARE * budget_tokens))
    plan.fill(worth)
    left = list(_left(plan, marks, summaries))
    items = tuple(_sent(one) for one in left)
    tokens = sum(one.tokens for one in left)
    shown = [part for part in left if isinstance(part, Part)]
    messages = sum([len(unit.parts) for unit in units]) - len(shown)
    return Cut(items, tokens, plan.hidden(shown), messages, len(summaries))


class _Plan:
    """Decides the form of each unit, and which passages are kept.

    `standing` are the numbers of the units that are whole or in their place, `digested` those of all others.
    """

    def __init__(self, units: Sequence[Unit], whole: Sequence[bool], costs: Sequence[int], budget_tokens: int) -> None:
        self.units = units
        self.costs = costs
        self.budget_tokens = budget_tokens
        self.whole = whole
        self.left = budget_tokens - sum(unit.tokens for unit in compress(units, whole))
        self.left -= DIGEST_TOKENS * (1 + sum(map(gt, whole, whole[1:])))
        self.kept: set[int] = set()
        self.in_place: set[int] = set()
        self._inner = list(compress(range(len(units)), map(not_, whole)))
        self._rounds = [index for index in self._inner if units[index].calls]
        self._place_fixed()
        self._place_rounds()
        self.standing = sorted({*compress(range(len(units)), whole), *self.in_place})
        self.digested = sorted({*self._inner} - self.in_place) if self.in_place else self._inner
        self._keep_constraints()
        self._naming = {
            index: sum(len(part.speaker) // 4 for part in units[index].parts if not part.answers)
            for index in self._rounds
            if index not in self.in_place
        }
        self._bases = [unit.base for unit in units] if self._naming else []

    def _place_fixed(self) -> None:
        """Rounds with something fixed stay in place, whatever they take."""
        for index in self._rounds:
            if self.units[index].stays:
                self.left -= _least_tokens(self.units[index])
                self.in_place.add(index)

    def _place_rounds(self) -> None:
        """The newest rounds of tool calls stay in place, as long as their shortest form takes no undue share."""
        room = self.left * ROUNDS_SHARE
        for index in reversed(self._rounds):
            if index in self.in_place:
                continue
            cost = _least_tokens(self.units[index])
            room -= cost
            if room < 0:
                return
            self.left -= cost
            self.in_place.add(index)

    def _keep_constraints(self) -> None:
        """What the user has laid down, the latest first."""
        room = self.budget_tokens * CONSTRAINT_SHARE
        for index in reversed(self._inner):
            for number in self.units[index].constraints:
                cost = self.costs[number] + LINE_TOKENS
                if cost <= room:
                    room -= cost
                    self._keep(number, cost)

    def meet(self, quotas: Quotas, scores: NDArray[np.float64]) -> None:
        """Keep the best passages of each message up to its level's quota, the higher levels first: of each critical one
        its best before a second of any."""
        import numpy as np

        for level in sorted(quotas.shares, reverse=True):
            parts = [(index, part) for index, part in self._choosable() if quotas.levels[part.place] == level]
            costs = (sum(self.costs[number] for number in part.numbers) for _, part in parts)
            rooms = {part.place: quotas.shares[level] * cost for (_, part), cost in zip(parts, costs, strict=True)}
            owners = {number: (index, part.place) for index, part in parts for number in part.numbers}
            numbers = np.fromiter(owners, np.intp, len(owners))
            ordered = numbers[(-scores[numbers]).argsort(kind="stable")].tolist()
            if level == Level.CRITICAL:
                best = {owners[number][1]: number for number in reversed(ordered)}
                ordered.sort(key=lambda number: best[owners[number][1]] != number)
            for number in ordered:
                if self.left < LEAST_TOKENS:
                    return
                index, place = owners[number]
                if number in self.kept or (self.costs[number] <= rooms[place] and self._keep_if_fits(number, index)):
                    rooms[place] -= self.costs[number]

    def fill(self, scores: NDArray[np.float64]) -> None:
        """Keep the passages with the best scores, as long as there is room."""
        for number, least in self._by_score(scores):
            if self.left < max(LEAST_TOKENS, least):
                return
            if number not in self.kept:
                self._keep_if_fits(number, bisect_right(self._bases, number) - 1 if self._naming else 0)

    def _keep_if_fits(self, number: int, index: int) -> bool:
        """Keep the passage of that unit if there is room; whether it's kept."""
        near = number - 1 in self.kept or number + 1 in self.kept
        cost = self.costs[number] + (LINE_TOKENS // 2 if near else LINE_TOKENS) + self._naming.get(index, 0)
        if cost > self.left:
            return False
        self._keep(number, cost)
        self._naming.pop(index, None)
        return True

    def _choosable(self) -> Iterator[tuple[int, Part]]:
        """The parts of which passages may be left out, each with its unit's number."""
        decided = {part.place for part in self._decided()}
        for index, unit in enumerate(self.units):
            yield from ((index, part) for part in unit.parts if part.place not in decided)

    def _by_score(self, scores: NDArray[np.float64]) -> Iterator[tuple[int, int]]:
        """The numbers of the passages that may be left out or kept, best first, each with the least cost of those from
        it on."""
        import numpy as np

        open_ones = np.zeros(len(scores), bool)
        open_ones[self._numbers.start : self._numbers.stop] = True
        for part in self._decided():
            open_ones[part.numbers.start : part.numbers.stop] = False
        numbers = np.nonzero(open_ones)[0]
        ordered = numbers[np.argsort(-scores[numbers], kind="stable")]
        least = np.minimum.accumulate(np.asarray(self.costs)[ordered[::-1]])[::-1]
        for start in range(0, len(ordered), AT_ONCE):  # most are not asked for
            some = slice(start, start + AT_ONCE)
            yield from zip(ordered[some].tolist(), least[some].tolist(), strict=True)

    def _decided(self) -> Iterator[Part]:
        """What stays whatever its passages say: whole units, calls in their place, what is fixed."""
        for index in self.standing:
            parts = self.units[index].parts
            yield from (part for part in parts if self.whole[index] or part.fixed or not part.answers)

    @property
    def _numbers(self) -> range:
        return range(self.units[0].parts[0].base, self.units[-1].parts[-1].numbers.stop) if self.units else range(0)

    def _keep(self, number: int, cost: int) -> None:
        self.kept.add(number)
        self.left -= cost

    def hidden(self, shown: Iterable[Part]) -> frozenset[int]:
        return frozenset(self._numbers).difference(self.kept, *(part.numbers for part in shown))


class Written(NamedTuple):
    """A message of the stage's own, and its tokens."""

    message: Message
    tokens: int


@dataclass(slots=True, eq=False)
class Quote:
    """A message that says again, under its `head`, what is `kept` of *units*, in about so many `tokens`.

    It's written when it is to be sent: most are overtaken by a later epoch before that. Units that are to be sent
    `instead` are, where it turns out no smaller than they.
    """

    head: str
    units: Sequence[Unit]
    kept: Collection[int]
    marks: Marks
    summaries: Sequence[Summary]
    tokens: int
    instead: Sequence[Unit]
    _items: tuple[Item, ...] = ()

    def items(self) -> tuple[Item, ...]:
        """The message, or the places of what is sent instead."""
        if not self._items:
            said = lines(self.units, self.kept, self.marks, self.summaries)
            message = {"role": "user", "content": "\n".join((self.head, *said))}
            larger = self.instead and count_message(message) >= sum(unit.tokens for unit in self.instead)
            self._items = tuple(place for unit in self.instead for place in unit.places) if larger else (message,)
        return self._items


def quote(
    head: str,
    units: Sequence[Unit],
    kept: Collection[int],
    costs: Sequence[int],
    marks: Marks,
    summaries: Sequence[Summary] = (),
    instead: Sequence[Unit] = (),
) -> Quote:
    """What is *kept* of *units* in one message; *costs* are by passage number."""
    within, between = (count_text(f"{marks.gap(99, last)}\n") for last in (99, 199))
    tokens = MESSAGE_OVERHEAD + count_text(head) + sum(summary.tokens for summary in summaries)
    begin = 0
    speakers: dict[str, int] = {}
    for index in _quoted(units, kept, ()):
        tokens += between * (index > begin)
        begin = index + 1
        for part in units[index].parts:
            numbers = [number for number in part.numbers if number in kept]
            if numbers:
                if part.speaker not in speakers:
                    speakers[part.speaker] = count_text(part.speaker)
                tokens += 1 + speakers[part.speaker] + sum(map(costs.__getitem__, numbers)) - len(numbers)
            if 0 < len(numbers) < len(part.numbers):
                ends = pairwise((part.base - 1, *numbers, part.numbers.stop))
                tokens += within * sum(b - a > 1 for a, b in ends)
    return Quote(head, units, kept, marks, summaries, tokens + between * (begin < len(units)), instead)


Left: TypeAlias = Part | Written | Quote
"""What is left of messages: one as it came, or one that was or will be written."""


def _sent(left: Left) -> Item | Quote:
    if isinstance(left, Part):
        return left.place
    return left.message if isinstance(left, Written) else left


def _left(plan: _Plan, marks: Marks, summaries: Sequence[Summary]) -> Iterator[Left]:
    begin = 0
    for index in plan.standing:
        yield from _digest_or_whole(plan.units[begin:index], plan, marks, summaries)
        begin, unit = index + 1, plan.units[index]
        yield from unit.parts if plan.whole[index] else _round(unit, plan.kept)
    yield from _digest_or_whole(plan.units[begin:], plan, marks, summaries)


def _digest_or_whole(units: Sequence[Unit], plan: _Plan, marks: Marks, summaries: Sequence[Summary]) -> Iterator[Left]:
    """One message for *units*; they themselves where that wouldn't be smaller."""
    tokens = sum([unit.tokens for unit in units])
    if tokens > SMALL_TOKENS:
        digest = quote(DIGEST_HEAD, units, plan.kept, plan.costs, marks, summaries, instead=units)
        if digest.tokens < tokens:
            yield digest
            return
    for unit in units:
        yield from unit.parts


def _round(unit: Unit, kept: set[int]) -> Iterator[Left]:
    """A round of tool calls, its results shortened."""
    for part in unit.parts:
        yield (shortened(part, kept) if part.answers else None) or part


def shortened(part: Part, kept: set[int]) -> Written | None:
    """The message with the kept passages alone; None where that saves nothing.

    Passages with marks that are not this message's go too: it's by its marks that it is known when it comes again.
    """
    numbers = _kept_of(part, kept)
    if part.fixed or part.text_tokens <= SMALL_TOKENS or len(numbers) == len(part.numbers):
        return None
    numbers = frozenset(number for number in numbers if not has_marks(part.document.passages[number]))
    text = part.document.render(numbers, partial(_left_out_of, part))
    message = {**part.message, "content": _with_text(part.message.get("content"), text)}
    tokens = count_message(message)
    return Written(message, tokens) if tokens < part.tokens and is_shortened(text, part.place) else None


def _with_text(content: Any, text: str) -> Any:
    """*content* that says *text*: of its blocks the first of text does, those that are none stay in their places."""
    if isinstance(content, str):
        return text
    first = next(number for number, block in enumerate(content) if is_text_part(block))
    return [
        {**block, "text": text} if number == first else block
        for number, block in enumerate(content)
        if number == first or not is_text_part(block)
    ]


def _left_out_of(part: Part, left: Gap) -> str:
    return left_out(part.place, part.tokens_of(left.chars), left.count, left.what)


def lines(
    units: Sequence[Unit], kept: Collection[int], marks: Marks, summaries: Sequence[Summary] = ()
) -> Iterator[str]:
    """The kept passages of *units* in their order, each with who said it, and a mark for every gap.

    Of what is summarised comes the summary first.
    """
    begins = {summary.first: summary for summary in summaries}
    told = {place for summary in summaries for place in range(summary.first, summary.last + 1)}
    missing: list[int] = []
    speaker, begin = "", 0
    for index in _quoted(units, kept, begins):
        unit = units[index]
        missing += _not_said(units, range(begin, index), told)
        begin = index + 1
        named = unit.calls and any(number in kept for part in unit.parts for number in part.numbers)
        for part in unit.parts:
            if part.place in begins:
                yield from [marks.gap(missing[0], missing[-1])] if missing else []
                yield marks.summary(part.place, begins[part.place].last, begins[part.place].text)
                missing, speaker = [], ""
            numbers = _kept_of(part, kept)
            if not numbers and not (named and not part.answers):
                missing += [part.place] if part.numbers and part.place not in told else []
                continue
            if missing:
                yield marks.gap(missing[0], missing[-1])
            says = part.speaker
            text = part.document.render(numbers, partial(_gap_in, marks, part)).strip()
            yield text if says == speaker and not unit.calls and not missing else f"{says}: {text}".rstrip()
            missing, speaker = [], says
    missing += _not_said(units, range(begin, len(units)), told)
    if missing:
        yield marks.gap(missing[0], missing[-1])


def _quoted(units: Sequence[Unit], kept: Iterable[int], begins: Collection[int]) -> list[int]:
    """Where those of *units* stand of which something is *kept*, and those where a summary begins."""
    if not units:
        return []
    bases = [unit.base for unit in units]
    stop = units[-1].parts[-1].numbers.stop
    found = {bisect_right(bases, number) - 1 for number in kept if bases[0] <= number < stop}
    if begins:
        found.update(n for n, unit in enumerate(units) if any(place in begins for place in unit.places))
    return sorted(found)


def _not_said(units: Sequence[Unit], numbers: range, told: Collection[int]) -> Iterator[int]:
    """The first and the last place of the messages in those units that say something, but for what is *told*."""
    forward = (part for n in numbers for part in units[n].parts)
    backward = (part for n in reversed(numbers) for part in reversed(units[n].parts))
    for parts in (forward, backward):
        yield from islice((part.place for part in parts if part.numbers and part.place not in told), 1)


def _gap_in(marks: Marks, part: Part, _: Gap) -> str:
    return marks.gap(part.place, part.place)


def _kept_of(part: Part, kept: Collection[int]) -> frozenset[int]:
    return frozenset(number - part.base for number in part.numbers if number in kept)


def _least_tokens(unit: Unit) -> int:
    """Tokens of a round of calls with its results in their shortest form."""
    return sum(map(_least_of, unit.parts))


def _least_of(part: Part) -> int:
    if part.fixed or not part.answers:
        return part.tokens
    return part.fixed_tokens + min(part.tokens - part.fixed_tokens, STUB_TOKENS)
