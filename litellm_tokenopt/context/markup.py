"""An HTML page as what a reader would see of it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,2000}>")
_PAGE = re.compile(r"<(?:!doctype html|html|head|body|div|table|main|article|section)\b", re.IGNORECASE)
_SKIPPED = frozenset(
    "script style noscript template svg head iframe nav footer aside form button select canvas".split()
)
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_BLOCKS = frozenset(
    "address article blockquote br dd div dl dt figcaption figure h1 h2 h3 h4 h5 h6 header hr li main ol p pre section "
    "table tbody td th thead title tr ul".split()
)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_SPACES = re.compile(r"[ \t\r\f\v\xa0]+")
LEAST_TAGS = 8
LEAST_SHARE = 0.15
"""Of a page's characters, at least this share is tags."""


def is_page(text: str) -> bool:
    """Whether *text* is an HTML page, or a part of one."""
    if "<" not in text or not _PAGE.search(text):
        return False
    tags = _TAG.findall(text)
    return len(tags) >= LEAST_TAGS and sum(map(len, tags)) >= LEAST_SHARE * len(text)


def main_text(page: str) -> str:
    """The page's headings, text, list items, table rows and where its links lead; no scripts, styles or navigation.

    Everything is kept where that would leave nothing.
    """
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.text() or page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._open: list[str] = []
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED or self._open:
            if tag not in _VOID:
                self._open.append(tag)
            return
        given = dict(attrs)
        if tag == "a":
            self._links.append(given.get("href") or "")
        if tag == "img" and given.get("alt"):
            self._pieces.append(f"[image: {given['alt']}]")
        if tag in ("td", "th"):
            self._pieces.append(" | ")
        elif tag in _BLOCKS:
            self._pieces.append("\n" + _HEADINGS.get(tag, "- " if tag == "li" else ""))

    def handle_endtag(self, tag: str) -> None:
        if self._open:
            if tag in self._open:
                del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]
            return
        if tag == "a" and self._links:
            link = self._links.pop()
            if link and not link.startswith(("#", "javascript:")):
                self._pieces.append(f" ({link})")
        elif tag in _BLOCKS and tag not in ("td", "th"):
            self._pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._open:
            self._pieces.append(_SPACES.sub(" ", data))

    def text(self) -> str:
        lines = (line.strip() for line in "".join(self._pieces).split("\n"))
        return "\n".join(filter(None, lines))
