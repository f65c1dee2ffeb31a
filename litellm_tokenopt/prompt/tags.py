"""The tags that authors of a system prompt may use: ``<keep>…</keep>`` and ``<squeeze ratio=0.5>…</squeeze>``."""

from __future__ import annotations

import re

SQUEEZED = re.compile(r"<squeeze\b([^<>\n]*)>(.*?)</squeeze>", re.DOTALL)
"""Its groups are what is said beside the tag's name, and the passage."""

KEPT = re.compile(r"(<keep>.*?</keep>)", re.DOTALL)
_INSIDE = re.compile(r"<keep>(.*?)</keep>", re.DOTALL)
_ANY = re.compile(r"</?(?:keep|squeeze)\b[^<>\n]*>")
_RATIO = re.compile(r"ratio\s*=\s*([\"']?)(\d*\.?\d+|\d+\.)\1")


def without_tags(text: str) -> str:
    """*text* without these tags; what stands in them stays. A tag that isn't closed is none."""
    return SQUEEZED.sub(r"\2", _INSIDE.sub(r"\1", text))


def ratio_of(said: str) -> float | None:
    """The ratio in what a ``<squeeze>`` says beside its name; None where that is anything else than 0 to 1."""
    match = _RATIO.fullmatch(said.strip().removesuffix("/").rstrip())
    ratio = float(match[2]) if match else None
    return ratio if ratio is not None and ratio <= 1 else None


def unread_tags(text: str) -> list[str]:
    """What looks like one of these tags and is none, as it isn't closed or wasn't opened."""
    return list(dict.fromkeys(_ANY.findall(without_tags(text))))


def unread_ratios(text: str) -> list[str]:
    """Tags with a ratio that can't be: their passages stay whole."""
    found = (match for match in SQUEEZED.finditer(text) if match[1].strip() and ratio_of(match[1]) is None)
    return list(dict.fromkeys(f"<squeeze{match[1]}>" for match in found))
