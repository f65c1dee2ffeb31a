"""A text's lines with their spaces evened out, and where some of them stand."""

from __future__ import annotations

from collections.abc import Sequence


def plain_lines(text: str) -> list[str]:
    """The lines of *text* as `plain` has them, blank ones aside."""
    return [line for written in text.splitlines() if (line := plain(written))]


def plain(line: str) -> str:
    """*line* with its spaces evened out, and without the mark that some editors begin a file with."""
    return " ".join(line.lstrip("\ufeff").split())


def standing_in(wanted: Sequence[str], lines: Sequence[str]) -> range:
    """The first place where the *wanted* lines stand one after the other in *lines*; empty where there's none."""
    for start, line in enumerate(lines[: len(lines) - len(wanted) + 1]):
        if line == wanted[0] and all(lines[start + n] == one for n, one in enumerate(wanted)):
            return range(start, start + len(wanted))
    return range(0)
