"""What people say in the words of tools: ``put my 4 o'clock back`` asks for an update of an event.

Vectors of a small model miss that, most of all where the thing that is talked about drowns the act: "jot down that the
key is under the mat". So phrases (`phrases.yaml`) stand for words that tools are named and described by, which BM25
looks for beside the question's own (query expansion by a thesaurus; Voorhees, 1994).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import yaml

from ..lexical import stem
from .words import terms

ACT_WEIGHT = 0.7
"""How much the words of an act count that names no thing: "change" fits tools of every kind."""

GAP = 5
"""Words that a "…" stands for at most."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0600-\u06ff\u0900-\u097f]")


@dataclass(frozen=True, slots=True)
class Line:
    """The terms that some phrases stand for, and how much they count: those of an act alone count less."""

    terms: tuple[str, ...]
    weight: float


@dataclass(frozen=True, slots=True)
class Phrase:
    """One phrase: the stems of its words, in runs that a gap parts, and the line that it is of."""

    runs: tuple[tuple[str, ...], ...]
    line: Line

    def fits(self, stems: Sequence[str], start: int) -> bool:
        """Whether *stems* have it from *start* on."""
        end, most = start, 0
        for run in self.runs:
            places = range(end, min(end + most, len(stems) - len(run)) + 1)
            found = next((at for at in places if tuple(stems[at : at + len(run)]) == run), None)
            if found is None:
                return False
            end, most = found + len(run), GAP
        return True


@dataclass(frozen=True, slots=True)
class Phrases:
    """Phrases by the stem of their first word, and those of scripts without spaces."""

    spaced: Mapping[str, tuple[Phrase, ...]]
    unspaced: tuple[tuple[str, Line], ...]

    def meant(self, text: str) -> dict[str, float]:
        """The terms that *text*'s phrases stand for, with their weights."""
        found: dict[str, float] = {}
        for line in dict.fromkeys(self._lines(text)):
            for term in line.terms:
                found[term] = max(line.weight, found.get(term, 0.0))
        return found

    def _lines(self, text: str) -> Iterator[Line]:
        stems = _stems(text)
        for start, first in enumerate(stems):
            yield from (phrase.line for phrase in self.spaced.get(first, ()) if phrase.fits(stems, start))
        if _UNSPACED.search(text):
            yield from (line for phrase, line in self.unspaced if phrase in text)


@lru_cache(maxsize=1)
def packaged() -> Phrases:
    """The phrases that come with the package."""
    return read_phrases((files(__package__) / "phrases.yaml").read_text(encoding="utf-8"))


def read_phrases(text: str) -> Phrases:
    """The phrases in *text*, a file like `phrases.yaml`."""
    kept = yaml.safe_load(text)
    spaced: dict[str, list[Phrase]] = defaultdict(list)
    unspaced: list[tuple[str, Line]] = []
    for said, line in (*_read(kept["acts"], ACT_WEIGHT), *_read(kept["phrases"], 1.0)):
        if _UNSPACED.search(said):
            unspaced.append((said, line))
        else:
            phrase = Phrase(tuple(_stems(run) for run in said.split("…")), line)
            spaced[phrase.runs[0][0]].append(phrase)
    return Phrases({first: tuple(some) for first, some in spaced.items()}, tuple(unspaced))


def _read(text: str, weight: float) -> Iterator[tuple[str, Line]]:
    for row in text.splitlines():
        said, _, words = row.rpartition(":")
        line = Line(tuple(terms(words)), weight)
        yield from ((phrase.strip(), line) for phrase in said.split(","))


def _stems(text: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in _WORD.findall(text.lower()))
