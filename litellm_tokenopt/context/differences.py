"""A result that is like an earlier one of the same request, told by that one.

The earlier one stands before it in the same request, and is named by the call that it answers, so nothing is lost: a
record that comes back from a write is its last full reading and the members that changed, a file that is read again the
lines that are others now. What a message becomes depends on it and the messages before it alone.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from ..memo import Memo
from ..request import OWN_TOOL_PREFIX, Message, digest, is_text_part, text_of, tool_calls
from ..tokens import count_text
from .marks import SAME, SAME_RECORD, is_difference, is_own
from .records import is_json, values_of
from .units import is_untouchable

LEAST_CHARS = 200
"""Shorter results are sent as they are."""

MOST_OF_LINES, MOST_OF_RECORD = 0.5, 0.6
"""Of the tokens of what it stands for a difference has at most this part, of lines or of members: it's
harder to read."""

ALIKE_SHARE = 0.5
"""So much of a result, in characters, must stand in another one too before they are compared."""

LOOKED_BACK, COMPARED = 24, 2
"""Of so many results before it, a result is compared with those that share most with it."""

LEAF_CHARS = 60
ARGUMENT_CHARS, CALL_CHARS = 48, 120
BUT = ", but for these lines"
_IN_PATHS = frozenset('.[]"')

_pieces: Memo[str, Mapping[str, int]] = Memo(max_entries=4_000)
_told: Memo[str, str] = Memo(max_entries=20_000)
_records: Memo[str, bool] = Memo(max_entries=4_000)


def differing(messages: Sequence[Message], left_alone: Collection[int] = ()) -> tuple[Message, ...]:
    """*messages* as they are sent, with results told by their difference where that takes half the tokens.

    Those whose ``id()`` is in *left_alone* stay as they are; all that isn't told so is the very object that came in.
    """
    teller = _Teller()
    return tuple(teller.told(message, id(message) not in left_alone) for message in messages)


def new_chars(messages: Sequence[Message]) -> int:
    """Characters of tool results that were not looked at before."""
    texts = (text_of(message.get("content")) for message in messages if message.get("role") == "tool")
    return sum(len(text) for text in texts if len(text) >= LEAST_CHARS and text not in _pieces)


@dataclass(frozen=True, slots=True)
class _Said:
    """A result that others may name: its call and its text."""

    call: str
    text: str


class _Teller:
    """Goes through a conversation from its beginning.

    `said` has the last result of each call that was not told by its difference, latest last.
    """

    def __init__(self) -> None:
        self._said: dict[str, _Said] = {}
        self._calls: dict[str, str] = {}
        self._key = ""

    def told(self, message: Message, may_change: bool) -> Message:
        if message.get("role") != "tool":
            calls = tool_calls(message)
            self._calls.update((call_id, named(name, arguments)) for call_id, name, arguments in calls)
            return message
        call = self._calls.get(str(message.get("tool_call_id") or ""), "")
        text = _only_text(message)
        if not call or call.startswith(OWN_TOOL_PREFIX) or is_difference(message):
            return message
        self._key = digest(self._key, call, text, str(may_change))
        if is_own(message) or not text:
            return message
        may_change = may_change and len(text) >= LEAST_CHARS and not is_untouchable(message)
        shorter = _told.get_or(self._key, lambda: self._shortest(text)) if may_change else ""
        if not shorter:
            self._remember(_Said(call, text))
        return _with_text(message, shorter) if shorter else message

    def _remember(self, said: _Said) -> None:
        self._said.pop(said.call, None)
        if len(said.text) >= LEAST_CHARS:
            self._said[said.call] = said

    def _shortest(self, text: str) -> str:
        """*text* told by one of the results before it; empty where it stays."""
        latest = list(islice(reversed(self._said.values()), LOOKED_BACK))
        most = count_text(text) * (MOST_OF_RECORD if _is_record(text) else MOST_OF_LINES)
        shortest = min(filter(None, _differences(text, latest)), key=count_text, default="")
        return shortest if count_text(shortest) <= most else ""


def _differences(text: str, latest: Sequence[_Said]) -> Iterator[str]:
    """*text* told by each of *latest* that shares most with it."""
    pieces = pieces_of(text)
    least = ALIKE_SHARE * sum(pieces.values())
    for base in _nearest([(_shared(pieces, pieces_of(one.text)), one) for one in latest], least):
        yield difference(base.call, base.text, text)


def _nearest(shared: Sequence[tuple[float, _Said]], least: float) -> Iterator[_Said]:
    """Of results, each with how much it shares, those that share most, and at least so much; the latest first."""
    most = sorted((one for one in shared if one[0] >= least), key=lambda one: -one[0])
    return (said for _, said in most[:COMPARED])


def _shared(some: Mapping[str, int], others: Mapping[str, int]) -> int:
    return sum(some[piece] for piece in some.keys() & others.keys())


def _only_text(message: Message) -> str:
    """The text of a message that is one text and nothing else; empty for others."""
    content = message.get("content")
    if isinstance(content, (list, tuple)):
        return str(content[0]["text"]) if len(content) == 1 and is_text_part(content[0]) else ""
    return content if isinstance(content, str) else ""


def _with_text(message: Message, text: str) -> Message:
    content = message["content"]
    return {**message, "content": text if isinstance(content, str) else [{**content[0], "text": text}]}


def named(tool: str, arguments: str) -> str:
    """A call as one would write it, with long arguments shortened: ``get_order(id=W12)``."""
    try:
        given = json.loads(arguments or "{}")
    except ValueError:
        given = {"": arguments}
    said = given.items() if isinstance(given, dict) else [("", given)]
    listed = ", ".join(f"{key}={_plain(value)}" if key else _plain(value) for key, value in said)
    return f"{tool}({_cut(listed, CALL_CHARS)})".encode("utf-8", "replace").decode()


def _plain(value: object) -> str:
    return _cut(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), ARGUMENT_CHARS)


def _cut(text: str, chars: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= chars else f"{line[: chars - 1]}…"


# --- what is compared -------------------------------------------------------------------------------------------


def pieces_of(text: str) -> Mapping[str, int]:
    """The pieces of *text* that may stand in another one too, with their lengths: small members of JSON, or lines."""
    return _pieces.get_or(text, lambda: {piece: len(piece) for piece in _pieces_in(text)})


def _pieces_in(text: str) -> Iterator[str]:
    return _leaves(text.strip()) if _is_record(text) else iter(text.split("\n"))


def _is_record(text: str) -> bool:
    """Whether it's JSON in one line; in several lines it's a text like others, whose layout may matter."""
    return "\n" not in text and _records.get_or(text, lambda: is_json(text))


def _leaves(text: str) -> Iterator[str]:
    for key, value in values_of(text):
        if value[0] in "{[" and len(value) > LEAF_CHARS:
            yield from _leaves(value)
        else:
            yield f"{key}:{value}"


def difference(call: str, base: str, text: str) -> str:
    """*text* as a difference against *base*, the last full result of *call*; empty where there is none to be told."""
    if _is_record(base) != _is_record(text):
        return ""
    return _of_lines(call, base, text) if not _is_record(text) else _of_records(call, base.strip(), text.strip())


# --- records ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Changes:
    """The texts of values that are new or other ones, by their paths, and the paths of those that are gone."""

    now: dict[str, str]
    gone: list[str]

    @property
    def chars(self) -> int:
        return sum(len(path) + len(text) + 4 for path, text in self.now.items()) + sum(len(p) + 3 for p in self.gone)


def _of_records(call: str, base: str, text: str) -> str:
    """``{"same_as": "last full …", "but": {path: value}, "without": [path]}``."""
    changes = _compared(base, text, "")
    if "" in changes.now:
        return ""
    but = f',"but":{{{",".join(f"{_quoted(path)}:{value}" for path, value in changes.now.items())}}}'
    without = f',"without":[{",".join(map(_quoted, changes.gone))}]'
    return f"{_record_head(call)}{but if changes.now else ''}{without if changes.gone else ''}}}"


def heads_of(call: str) -> tuple[str, ...]:
    """What a result begins with that is told by a result of this call."""
    return f"{SAME}{call}]", f"{SAME}{call}{BUT}]", _record_head(call)


def _record_head(call: str) -> str:
    return f"{SAME_RECORD}{_quoted(call)[1:]}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _compared(base: str, text: str, path: str) -> _Changes:
    """What makes the JSON value *text*, at *path*, another than *base*; the value itself where that is shorter."""
    if base == text:
        return _Changes({}, [])
    whole = _Changes({path: text}, [])
    if base[0] != text[0] or text[0] not in "{[":
        return whole
    inner = _of_objects(base, text, path) if text[0] == "{" else _of_lists(base, text, path)
    return whole if inner is None or (path and inner.chars >= whole.chars) else inner


def _of_objects(base: str, text: str, path: str) -> _Changes | None:
    before, after = _by_key(base), _by_key(text)
    if before is None or after is None:
        return None
    joint = f"{path}." if path else ""
    found = _Changes({}, [f"{joint}{key}" for key in before if key not in after])
    for key, value in after.items():
        _add(found, before.get(key), value, f"{joint}{key}")
    return found


def _by_key(text: str) -> dict[str, str] | None:
    """The texts of an object's values; None where a path to one of them would say something else."""
    values = values_of(text)
    by_key = dict(values)
    return by_key if len(by_key) == len(values) and all(map(_fits_paths, by_key)) else None


def _of_lists(base: str, text: str, path: str) -> _Changes | None:
    before, after = values_of(base), values_of(text)
    if len(before) > len(after):
        return None
    found = _Changes({}, [])
    for place, (_, value) in enumerate(after):
        _add(found, before[place][1] if place < len(before) else None, value, f"{path}[{place}]")
    return found


def _add(found: _Changes, before: str | None, after: str, path: str) -> None:
    inner = _Changes({path: after}, []) if before is None else _compared(before, after, path)
    found.now.update(inner.now)
    found.gone.extend(inner.gone)


def _fits_paths(key: str) -> bool:
    return bool(key) and key.isprintable() and _IN_PATHS.isdisjoint(key)


# --- lines ------------------------------------------------------------------------------------------------------


def _of_lines(call: str, base: str, text: str) -> str:
    """A head, and the hunks of a unified diff without lines around them."""
    before, after = base.split("\n"), text.split("\n")
    hunks = list(_hunks(before, after))
    written = [f"{SAME}{call}{BUT if hunks else ''}]"]
    for a, b in hunks:
        written.append(f"@@ -{a.start + 1},{len(a)} +{b.start + 1},{len(b)} @@")
        written += [*(f"-{before[n]}" for n in a), *(f"+{after[n]}" for n in b)]
    return "\n".join(written)


def _hunks(before: Sequence[str], after: Sequence[str]) -> Iterator[tuple[range, range]]:
    """Where lines are not the same, in both texts: between lines that stand once in each, in one order (patience
    diff), what begins and ends alike left out."""
    x = y = 0
    for i, j in [*_anchors(before, after), (len(before), len(after))]:
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before[x:i], after[y:j], strict=False)))
        x, y = x + same, y + same
        pairs = zip(reversed(before[x:i]), reversed(after[y:j]), strict=False)
        last = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if x < i - last or y < j - last:
            yield range(x, i - last), range(y, j - last)
        x, y = i + 1, j + 1


def _anchors(before: Sequence[str], after: Sequence[str]) -> list[tuple[int, int]]:
    """The longest run, in the order of both, of lines that stand once in each."""
    once, once_after = Counter(before), Counter(after)
    places = {line: n for n, line in enumerate(after) if once_after[line] == 1}
    pairs = [(n, places[line]) for n, line in enumerate(before) if once[line] == 1 and line in places]
    ends: list[int] = []
    last: list[int] = []
    previous: list[int] = []
    for number, (_, place) in enumerate(pairs):
        at = bisect_left(ends, place)
        previous.append(last[at - 1] if at else -1)
        ends[at : at + 1], last[at : at + 1] = [place], [number]
    return _followed_back(pairs, previous, last[-1] if last else -1)


def _followed_back(pairs: Sequence[tuple[int, int]], previous: Sequence[int], number: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while number >= 0:
        found.append(pairs[number])
        number = previous[number]
    return found[::-1]
