"""What a store of answers offers, and what is kept in it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored answer: `payload` is the surface's JSON, `created` in Unix seconds, `question` as it was asked.

    `text` and `finish` are the reply's, so that it can be given again as it came. `tenant` says whose request
    it answered (`labels.tenant_label`), `tags` what the caller wrote on it, `situation` what earlier turns established
    (`situation.pack`), where that must be compared, `seconds` how long the model took (0: not known), `expires` when
    its time is over, also for a copy of it (in Unix seconds; 0: its store alone knows).
    """

    key: str
    scope: str
    question: str
    payload: Mapping[str, Any]
    text: str
    finish: str | None
    created: float
    model: str
    tenant: str = ""
    tags: tuple[str, ...] = ()
    situation: str = ""
    seconds: float = 0.0
    expires: float = 0.0


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry whose question is like the one asked; `similarity` is the vectors' cosine, `note` what `note` left."""

    entry: Entry
    similarity: float
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which entries are meant: those for which every condition given holds; all where none is.

    `model` may go without its provider, `tenant` is one part of an entry's label or several between blanks,
    `created_until` in Unix seconds. Raises ValueError for an empty text, which would mean either nothing or everything.
    """

    key: str | None = None
    tag: str | None = None
    model: str | None = None
    tenant: str | None = None
    created_until: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str) and not value.strip():
                raise ValueError(f"{field.name} is empty: name one, or leave it out")

    def holds(self, entry: Entry) -> bool:
        """Whether *entry* is meant."""
        return (
            self.key in (None, entry.key)
            and (self.model is None or _is_named(entry.model, self.model))
            and (self.tag is None or self.tag in entry.tags)
            and (self.tenant is None or set(self.tenant.split()) <= set(entry.tenant.split()))
            and (self.created_until is None or entry.created <= self.created_until)
        )

    def means(self, under_way: Entry) -> bool:
        """Whether an answer that was *under_way* when this was to be removed is meant: of any age."""
        return replace(self, created_until=None).holds(under_way)


def _is_named(model: str, name: str) -> bool:
    """Whether *name* is *model*'s, with its provider or without: ``openai/gpt-4o``, ``gpt-4o``."""
    return model == name or model.endswith(f"/{name}")


class Removals:
    """Which entries this process was told to remove, so that none lands that was under way then."""

    def __init__(self) -> None:
        self._latest: deque[Selection] = deque(maxlen=1_000)
        self.count = 0

    def note(self, selection: Selection) -> None:
        """Entries meant by *selection* are about to be removed."""
        self._latest.append(selection)
        self.count += 1

    def meant(self, entry: Entry, since: int) -> bool:
        """Whether *entry* was meant after the first *since* removals; where too many came to know, it was."""
        new = self.count - since
        return new > len(self._latest) or any(one.means(entry) for one in islice(reversed(self._latest), new))


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """Which removals a process knew of when a request went on: its own by number, those in its store by a stamp.

    Without a stamp what other processes remove counts from the moment of storing.
    """

    here: int
    stamp: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdings:
    """How much is kept of one model's answers: their number, their bytes (indexes aside), and Unix seconds."""

    model: str
    entries: int
    bytes: int
    oldest: float
    newest: float

    def with_(self, other: Holdings) -> Holdings:
        """Together with what is kept of the same model elsewhere."""
        return Holdings(
            model=self.model,
            entries=self.entries + other.entries,
            bytes=self.bytes + other.bytes,
            oldest=min(self.oldest, other.oldest),
            newest=max(self.newest, other.newest),
        )


class AnswerStore(Protocol):
    """Keeps answers, each for its time to live, which a hit does not lengthen.

    Keys are `scope.entry_key`'s of the entry's scope, or of one at home at the same place.

    Every method but `health` raises `UnavailableError` when the store can't be reached.
    """

    async def get_exact(self, key: str) -> Entry | None:
        """The entry stored under *key*."""
        ...

    async def get_noted(self, key: str) -> Hit | None:
        """The entry stored under *key* as it is now, whoever changed it, with its note."""
        ...

    async def search(self, scope: str, vector: NDArray[np.float32], k: int, threshold: float) -> list[Hit]:
        """At most *k* entries of *scope* with a cosine of at least *threshold* to the unit *vector*, nearest first."""
        ...

    def stamp(self, key: str) -> str:
        """The newest removal heard of in this process where *key*, or the scope *key*, is at home; asks nobody."""
        ...

    async def put(
        self, entry: Entry, vector: NDArray[np.float32] | None, ttl_seconds: float, since: str | None = None
    ) -> str | None:
        """Store *entry* for *ttl_seconds*, in place of one with its key. Without *vector*, `search` won't find it.

        Gives the stamp of the newest removal as it was stored. None, and nothing is stored, where a removal by any
        process after the stamp *since* means it.
        """
        ...

    async def note(self, key: str, change: Callable[[str], str]) -> str | None:
        """Put what *change* makes of the note on the entry under *key* (empty at first) in its place; gives the new.

        The note goes with the entry. None where there is no such entry. *change* may be called more than once.
        """
        ...

    async def drop(self, key: str) -> None:
        """Remove the entry under *key*, if there is one."""
        ...

    async def select(self, selection: Selection, limit: int) -> list[Entry]:
        """At most *limit* of the entries that are meant, newest first. One that can't be read is left out."""
        ...

    async def remove(self, selection: Selection) -> int:
        """Remove the entries that are meant; how many there were."""
        ...

    async def holdings(self) -> list[Holdings]:
        """What is kept, by model, in no order."""
        ...

    async def health(self) -> Mapping[str, Any]:
        """How the store does, for people; always ``store`` and ``reachable``. Never raises for one out of reach."""
        ...


class SharedAnswerStore(AnswerStore, Protocol):
    """A store that several processes use."""

    @property
    def generation(self) -> int:
        """Another number after each call that has heard of a `remove` by any process."""
        ...
