"""The names of tools read as a verb and the things that it works on, wherever the verb stands.

``get_order``, ``orderGet`` and ``shop_order_get`` (of a server whose tools all begin with ``shop``) say the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ..lexical import stem
from .words import split_identifier

NAMESPACE = 4
"""So many names that begin alike begin with a namespace."""

LOOKUPS = frozenset("get list find search read fetch lookup describe show query check view".split())
"""Verbs that look something up."""

FINDERS = frozenset("list find search lookup query".split())
"""Those of them that need no identifier."""

MAKERS = frozenset("create add make new open register insert generate draft compose".split())
"""Verbs that make what isn't there yet."""

_CORE = LOOKUPS | MAKERS | frozenset("update delete set remove write send edit change".split())
"""Verbs that no namespace is called by."""

_NOUNS = frozenset(
    "file issue label tag report call message mail email post order transfer record log review test image chart quote"
    " status stats new open back off end score book schedule build plan load format view draft share request comment"
    " answer block mark count track look design trigger".split()
)
"""Verbs that are things as often: one of them is a name's verb only where no other is there."""

_VERBS = (
    _CORE
    | _NOUNS
    | frozenset(
        """
    see browse discover preview inspect scan retrieve load ls cat locate explore init initialize setup scaffold upload
    save store import submit define modify patch put replace adjust rename move configure rewrite alter upsert assign
    enable disable toggle activate deactivate switch categorise categorize resize convert merge append transform erase
    drop clear purge trash cancel void revoke uninstall discard unsubscribe clean cleanup terminate destroy detach
    unassign close archive notify reply respond forward invite announce broadcast publish remind tell escalate run
    execute start launch invoke dispatch deploy perform apply play restart retry resume reboot begin eval evaluate
    exec stop pause kill abort suspend silence mute freeze lock reserve buy purchase pay checkout rent hire enroll
    subscribe calculate compute estimate forecast predict analyze analyse compare solve measure simulate draw plot
    visualize visualise render paint sketch capture screenshot approve accept confirm reject decline sign verify
    validate restore undo rollback revert recover reset export download extract translate summarize summarise
        """.split()
    )
)


@dataclass(frozen=True, slots=True)
class Name:
    """A tool's name: its namespace and its verb (empty where there is none), and the stems of what it works on."""

    namespace: str
    verb: str
    things: frozenset[str]


def read_names(names: Sequence[str]) -> list[Name]:
    """The names of a block of tools, read."""
    whole = [split_identifier(name).lower().split() for name in names]
    begun = Counter(words[0] for words in whole if len(words) > 1)
    acting = Counter(words[0] for words in whole if not _VERBS.isdisjoint(words[1:]))

    def is_namespace(first: str) -> bool:
        return begun[first] >= NAMESPACE and first not in _CORE and 3 * acting[first] >= 2 * begun[first]

    return [_read(words, words[0] if words and is_namespace(words[0]) else "") for words in whole]


def _read(words: Sequence[str], namespace: str) -> Name:
    rest = words[1:] if namespace else words
    verbs = [at for at, word in enumerate(rest) if word in _VERBS]
    found = [at for at in verbs if rest[at] not in _NOUNS] or verbs
    if not found:
        return Name(namespace, "", frozenset(map(stem, rest)))
    place = found[0] if found[0] == 0 else found[-1]
    return Name(namespace, rest[place], frozenset(stem(word) for at, word in enumerate(rest) if at != place))
