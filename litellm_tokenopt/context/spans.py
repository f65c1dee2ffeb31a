"""Stretches of a conversation that an epoch has put into its digest, for a model to summarise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..request import digest, text_of
from ..tokens import count_text
from .cutting import LINE_TOKENS, Summary, lines
from .marks import PlainMarks
from .units import Unit

SPAN_TOKENS = 4_000
"""A longer stretch is several spans, so that a summary of each says enough."""

LEAST_SPAN_TOKENS = 600
"""A shorter stretch waits until more stands beside it."""

DIGESTED_SHARE = 0.5
MOST_SPAN_CHARS = 80_000
"""A single message beyond that isn't summarised: no model would read it for so little."""


@dataclass(frozen=True, slots=True)
class Span:
    """Units side by side, by their numbers, and where their messages stand.

    `text` is all that they say, `said` what user and assistant say of it, without the results of tools; `key` is a
    digest of the text.
    """

    units: range
    first: int
    last: int
    tokens: int
    text: str
    said: str
    key: str


class Spans:
    """The spans of one conversation; once formed they stay, so that their summaries do too."""

    def __init__(self) -> None:
        self.all: list[Span] = []
        self._taken: set[int] = set()

    def add(self, units: Sequence[Unit], digested: Iterable[int]) -> None:
        """Form spans of those of the *digested* units (by number) that are in none yet."""
        for numbers in _stretches([n for n in digested if n not in self._taken], units):
            span = _span(units, numbers)
            if span is not None:
                self.all.append(span)
                self._taken.update(numbers)

    def summaries(self, texts: Mapping[str, str], digested: Sequence[int], room: float) -> tuple[Summary, ...]:
        """The newest summaries in *texts* (by the spans' keys) that stand for *digested* units, in *room* tokens."""
        there = set(digested)
        found: list[Summary] = []
        for span in reversed(self.all):
            text = texts.get(span.key, "")
            tokens = count_text(text) + LINE_TOKENS
            if text and tokens <= room and _covers(there, span.units):
                found.append(Summary(span.first, span.last, text, tokens))
                room -= tokens
        return tuple(found)


def _covers(digested: set[int], units: range) -> bool:
    """Whether a summary of *units* has its place in a digest: some of the last may be sent by themselves."""
    return units.start in digested and len(digested.intersection(units)) >= DIGESTED_SHARE * len(units)


def _stretches(numbers: Sequence[int], units: Sequence[Unit]) -> Iterator[range]:
    """Numbers side by side, each stretch of about `SPAN_TOKENS` at most."""
    for _, group in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0]):
        run = [number for _, number in group]
        start, tokens = run[0], 0
        for number in run:
            if tokens and tokens + units[number].tokens > SPAN_TOKENS:
                yield range(start, number)
                start, tokens = number, 0
            tokens += units[number].tokens
        yield range(start, run[-1] + 1)


def _span(units: Sequence[Unit], numbers: range) -> Span | None:
    parts = [part for number in numbers for part in units[number].parts]
    tokens = sum(part.tokens for part in parts)
    if tokens < LEAST_SPAN_TOKENS or sum(part.document.chars for part in parts) > MOST_SPAN_CHARS:
        return None
    every = {number for part in parts for number in part.numbers}
    text = "\n".join(lines(units[numbers.start : numbers.stop], every, PlainMarks()))
    said = "\n".join(text_of(part.message.get("content")) for part in parts if part.message.get("role") != "tool")
    return Span(numbers, parts[0].place, parts[-1].place, tokens, text, said, digest(text))
