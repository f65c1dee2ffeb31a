"""Large pages for models' weights, where Linux has them.

Each text's pass through a model reads all its weights. On pages of 4 kB those are more addresses than a processor
keeps in mind, and looking them up takes a fifth of a short text's time.
"""

from __future__ import annotations

import ctypes
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

logger = logging.getLogger(__name__)

LARGE = Path("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size")
MAPPINGS = Path("/proc/self/maps")
ALLOW, COLLAPSE = 14, 25
"""``MADV_HUGEPAGE``, which takes the kernel's own time; ``MADV_COLLAPSE``: at once, also what is there (Linux 6.1)."""

Span: TypeAlias = tuple[int, int]
"""Where memory begins and ends."""

_PRIVATE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0\s*$", re.MULTILINE)


@contextmanager
def large_pages() -> Iterator[None]:
    """Put the memory that is mapped meanwhile on large pages; elsewhere than on Linux do nothing.

    What it holds stays as it is. numpy asks for the same for its large arrays.
    """
    before = _mapped()
    yield
    try:
        _enlarge(_added(before, _mapped()))
    except (OSError, ValueError, AttributeError) as error:
        logger.debug("weights stay on small pages: %s", error)


def _mapped() -> list[Span]:
    """Where memory without a file is, in order."""
    try:
        found = _PRIVATE.findall(MAPPINGS.read_text(encoding="ascii", errors="replace"))
    except OSError:
        return []
    return sorted((int(begin, 16), int(end, 16)) for begin, end in found)


def _added(before: list[Span], now: list[Span]) -> Iterator[Span]:
    """What is mapped *now* and wasn't *before*: a new mapping beside an old one makes one of both."""
    for begin, end in now:
        for known, until in before:
            if known < end and until > begin:
                yield begin, known
                begin = until
        yield begin, end


def _enlarge(spans: Iterable[Span]) -> None:
    size, advise = int(LARGE.read_text()), ctypes.CDLL(None).madvise
    for begin, end in spans:
        first, last = -(-begin // size) * size, end // size * size
        for advice in (ALLOW, COLLAPSE) if first < last else ():
            advise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), advice)
