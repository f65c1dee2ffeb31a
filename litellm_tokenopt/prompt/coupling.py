"""Which sections of a prompt are about tools: they come with their tools, and leave with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..lexical import terms
from ..memo import Memo
from .governing import Blocks, Standing
from .outline import Outline
from .ranking import Relevance

_IDENTIFIER = re.compile(r"(?<![\w./-])[A-Za-z][A-Za-z0-9]*(?:[_-][A-Za-z0-9]+)+(?![\w/])|\b[a-z]+[A-Z]\w*")
_QUOTED = re.compile(r"`([\w.-]+)(?:\(\))?`")
_identifiers: Memo[str, tuple[str, ...]] = Memo(max_entries=10_000)
LEAST_SHARE = 0.5
"""A section is about tools if so many of the identifiers in it, repeats counted, name tools."""
LEAST_MENTIONS = 2


COMES_BONUS = 0.05
"""What is added to the worth of a section about tools that are sent."""
STAYS_SHARE = 0.7
"""A section whose tools are left out stays where its relevance comes so near to the best: the tools may be missed."""


@dataclass(frozen=True, slots=True)
class Coupling:
    """The names of the tools that a section is about, for each section that is about any; `rules` that name a tool."""

    tools: Mapping[int, frozenset[str]] = field(default_factory=dict)
    rules: Blocks = frozenset()

    def without(self, sent: frozenset[str]) -> frozenset[int]:
        """Sections all of whose tools are left out."""
        return frozenset(section for section, names in self.tools.items() if names.isdisjoint(sent))

    def within(self, sent: frozenset[str]) -> frozenset[int]:
        """Sections about a tool that is sent."""
        return frozenset(self.tools) - self.without(sent)


def coupled(
    before: Standing, coupling: Coupling, sent: frozenset[str], outline: Outline, relevance: Sequence[Relevance]
) -> Standing:
    """*before*, with sections about tools that are *sent* liked, and those about tools left out barred."""
    least = STAYS_SHARE * max((one.score for one in relevance), default=0.0)
    leaving = [i for i in coupling.without(sent) if relevance[i].score < least]
    barred = frozenset((i, b) for i in leaving for b in range(len(outline.profiles[i].blocks)))
    spoken_for = before.always.union(*before.wanted, *before.needs.values())
    liking = dict.fromkeys(coupling.within(sent), COMES_BONUS)
    return replace(
        before, barred=before.barred | (barred - spoken_for), liking={**liking, **before.liking},
        about_tools=coupling.rules,
    )  # fmt: skip


def couple(outline: Outline, names: frozenset[str], rules: Sequence[tuple[int, int]] = ()) -> Coupling:
    """Which sections are about the tools of these *names*; those about behaviour in general are about none.

    Of *rules*, those are about a tool that stand in such a section or name one.
    """
    worded = {name: frozenset(_words(name)) for name in names}
    found = {}
    for i, section in enumerate(outline.sections):
        about = _in_heading(section.title, worded) or _in_text(section.body, names)
        if about and outline.profiles[i].blocks and outline.generality[i] < 1:
            found[i] = about
    blocks = {(i, b): outline.profiles[i].blocks[b] for i, b in rules}
    named = (rule for rule, block in blocks.items() if rule[0] in found or not names.isdisjoint(_named(block.text)))
    return Coupling(found, frozenset(named))


def _named(text: str) -> Iterator[str]:
    yield from _written(text)
    yield from _QUOTED.findall(text)


def _written(text: str) -> Sequence[str]:
    """The identifiers in *text*, repeats included."""
    return _identifiers.get_or(text, lambda: tuple(_IDENTIFIER.findall(text)))


def _in_heading(title: str, worded: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The tools that a heading names, as they are written or in words."""
    words = set(_words(title))
    return frozenset(name for name, own in worded.items() if len(own) > 1 and own <= words)


def _in_text(text: str, names: frozenset[str]) -> frozenset[str]:
    found = _written(text)
    tools = [name for name in found if name in names]
    return frozenset(tools) if len(tools) >= max(LEAST_MENTIONS, LEAST_SHARE * len(found)) else frozenset()


def _words(name: str) -> Iterable[str]:
    """The words of a name, without the name itself."""
    return (term for term in terms(name) if term.isalnum())
