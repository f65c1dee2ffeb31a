"""The tags that authors of a system prompt may use: ``<keep>…</keep>`` and ``<squeeze ratio=0.5>…</squeeze>``."""

from __future__ import annotations

import re

SQUEEZED = re.compile(r"<squeeze(?:\s+ratio\s*=\s*[\"']?(0?\.\d+|1(?:\.0*)?|0)[\"']?)?\s*>(.*?)</squeeze>", re.DOTALL)
"""Its groups are the ratio, if there is one, and the passage."""

KEPT = re.compile(r"(<keep>.*?</keep>)", re.DOTALL)
_INSIDE = re.compile(r"<keep>(.*?)</keep>", re.DOTALL)
_ANY = re.compile(r"</?(?:keep|squeeze)\b[^<>\n]*>")


def without_tags(text: str) -> str:
    """*text* without these tags; what stands in them stays. A tag that isn't closed is none."""
    return SQUEEZED.sub(r"\2", _INSIDE.sub(r"\1", text))


def unread_tags(text: str) -> list[str]:
    """What looks like one of these tags and is none: not closed, not opened, or with a ratio that can't be."""
    return list(dict.fromkeys(_ANY.findall(without_tags(text))))
