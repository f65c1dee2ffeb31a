"""Which tools belong together: they take the same identifiers, share words in their names, or stand side by side.

A task needs more tools than its first sentence names: to change a booking one looks up the customer and the booking.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..lexical import stem
from ..request import Tool
from .names import FINDERS, LOOKUPS, MAKERS, Name, read_names
from .reading import argument_texts, name_of
from .words import split_identifier, terms

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

ARGUMENTS_WEIGHT, NAMES_WEIGHT, PLACE_WEIGHT = 1.0, 0.5, 0.5
NEAR = 4.0
"""Places apart at which standing side by side has lost most of its meaning."""


LOOKUP_FACTOR = 1.5
"""How much more a tool that looks things up belongs to the others: one reads before one writes."""

_PEOPLE = frozenset({"user", "customer", "account", "profile", "member", "client", "guest", "patient", "employee"})

OPENER_WEIGHT = 2.0
"""How much a tool that opens, logs in or starts something belongs to the others of its family: it comes first."""

_OPENERS = frozenset("navigate open login connect start init initialize goto launch begin authenticate visit".split())

HELPER_WEIGHT = 1.5
"""How much a tool that serves any task belongs to every other, and one that looks up a person to its neighbours."""

NEIGHBOURHOOD = 16.0
"""Places apart at which tools are of another server, as often as not."""

_HELPERS = frozenset(
    {"think", "reason", "reflect", "plan", "scratchpad", "calculate", "calculator", "calc", "compute", "evaluate"}
)
"""Whole names of tools that serve any task: to think aloud, to do sums."""

REQUISITES = 2
"""So many look-ups a tool wants at most."""

_EMPTY_STEMS = frozenset(map(stem, "details info information by id all data status a the of for".split()))
_IDENTIFIERS = frozenset("id ids number key slug uuid ref".split())


def kinship(tools: Sequence[Tool]) -> Matrix:
    """How much each tool (column) is wanted where another (row) is, shape (tools, tools); 0 on the diagonal."""
    import numpy as np

    arguments = _similarity([Counter(name for name, _ in argument_texts(tool)) for tool in tools])
    names = _similarity([Counter(terms(name_of(tool) or "")) for tool in tools])
    places = np.arange(len(tools))
    apart = np.abs(places[:, None] - places[None, :])
    found = ARGUMENTS_WEIGHT * arguments + NAMES_WEIGHT * names + PLACE_WEIGHT * np.exp(-apart / NEAR)
    found *= np.where([_looks_up(tool) for tool in tools], LOOKUP_FACTOR, 1.0)
    found += OPENER_WEIGHT * _opens(tools)
    found += HELPER_WEIGHT * np.array(list(map(_helps, tools)))
    found += HELPER_WEIGHT * np.array(list(map(_tells_whom, tools))) * np.exp(-apart / NEIGHBOURHOOD)
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)


def requisites(tools: Sequence[Tool]) -> tuple[tuple[int, ...], ...]:
    """For each tool those that look up what it works on, the closest first.

    ``cancel_booking(booking_id)`` wants ``get_booking_details(booking_id)``, and ``booking_search(name)`` all the more,
    which tells the identifier; so ``log_call(contact_id)`` wants ``search_contacts``. A look-up wants none but the one
    that tells the identifier that it takes, and ``search_servers_for_agent`` the wider ``search_servers``, where more
    is found. Names that begin alike are of one family, and go for no other's.
    """
    names = read_names([name_of(tool) or "" for tool in tools])
    taken = [frozenset(_identified(name) for name, _ in argument_texts(tool)) - {""} for tool in tools]
    lookups = [n for n, name in enumerate(names) if name.verb in LOOKUPS]
    return tuple((*_wanted(n, names, taken, lookups), *_wider(n, names, lookups)) for n in range(len(tools)))


def _wanted(n: int, names: Sequence[Name], taken: Sequence[frozenset[str]], lookups: Sequence[int]) -> tuple[int, ...]:
    """Those of *lookups* that the tool *n* wants, where each takes the identifiers *taken*."""
    own = names[n]
    if not taken[n]:
        return ()
    worked_on = taken[n] if own.verb in MAKERS else taken[n] | own.things
    found = []
    for m in lookups:
        other, tells = names[m], not taken[m] & taken[n]
        things = other.things - _EMPTY_STEMS
        fits = things <= worked_on and (things or tells)
        if m != n and other.namespace == own.namespace and fits and (tells or own.verb not in LOOKUPS):
            found.append((-len(things), not tells, other.verb not in FINDERS, m))
    return tuple(m for *_, m in sorted(found)[:REQUISITES])


def _wider(n: int, names: Sequence[Name], lookups: Sequence[int]) -> tuple[int, ...]:
    """The first of *lookups* that finds what the tool *n* finds, but for one word of its name."""
    own = names[n]
    if own.verb not in FINDERS:
        return ()
    things = own.things - _EMPTY_STEMS

    def is_wider(other: Name) -> bool:
        left = other.things - _EMPTY_STEMS
        more = things - left
        same = (other.namespace, other.verb) == (own.namespace, own.verb) and left and left < things
        return bool(same) and len(more) == 1 and "".join(more).isalpha()

    return tuple(m for m in lookups if is_wider(names[m]))[:1]


def _identified(argument: str) -> str:
    """What an argument identifies, stemmed: ``account_id`` an account; empty for every other."""
    words = split_identifier(argument).lower().split()
    return stem(words[-2]) if len(words) > 1 and words[-1] in _IDENTIFIERS else ""


def _similarity(documents: Sequence[Mapping[str, int]]) -> Matrix:
    """The cosine of each two of *documents*, rare words counting more and those that most have not at all."""
    import numpy as np

    columns = {word: at for at, word in enumerate(sorted(_words(documents)))}
    frequencies = Counter(word for document in documents for word in document)
    table = np.zeros((len(documents), max(1, len(columns))))
    for row, document in enumerate(documents):
        for word in document:
            table[row, columns[word]] = math.log(len(documents) / frequencies[word])
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    unit = table / np.where(lengths > 0, lengths, 1.0)
    return np.asarray(unit @ unit.T)


def _looks_up(tool: Tool) -> bool:
    words = _name_words(tool)
    return bool(words) and words[0] in LOOKUPS


def _opens(tools: Sequence[Tool]) -> Matrix:
    """1 where a tool (column) opens what another (row) works on, by the first word of their names; else 0."""
    import numpy as np

    words = list(map(_name_words, tools))
    first = np.array([name[0] if len(name) > 1 else "" for name in words])
    opening = np.array([not _OPENERS.isdisjoint(name[1:]) for name in words])
    return np.asarray((first[:, None] == first[None, :]) & (first != "")[None, :] & opening[None, :], np.float64)


def _helps(tool: Tool) -> bool:
    """Whether *tool* serves any task."""
    return (name_of(tool) or "").lower() in _HELPERS


def _tells_whom(tool: Tool) -> bool:
    """Whether *tool* looks up whom a task is about."""
    return _looks_up(tool) and not _PEOPLE.isdisjoint(_name_words(tool)[1:2])


def _name_words(tool: Tool) -> list[str]:
    return split_identifier(name_of(tool) or "").lower().split()


def _words(documents: Iterable[Mapping[str, int]]) -> set[str]:
    return {word for document in documents for word in document}
