"""The exact key's form of a question: what people type differently when they ask the very same thing."""

from __future__ import annotations

import re
import unicodedata

_OPENINGS = (
    "is are was were am do does did has have had can could will would shall should may might must who whom whose what "
    "which when where why how"
)
_GREETING = re.compile(
    r"^(?:(?:hi|hello|hey|hiya|greetings)(?: there| all| everyone| team)?|good (?:morning|afternoon|evening|day))"
    r"\s*[,!.]+\s+"
    r"|^(?:hi|hello|hey)(?: there)?\s+(?=(?:" + "|".join(_OPENINGS.split()) + r"|i|i'm|my|please)\b)"
    r"|^please\s*,?\s+(?=\w)",
    re.IGNORECASE,
)
_WANTED = (
    "tell|explain|give|show|write|help|list|describe|check|translate|summarise|summarize|convert|find|compare|create"
)
_POLITE = re.compile(
    rf"^(?:could|can|would|will) you,? (?:please|kindly),? (?=(?:{_WANTED})\b)"
    r"|^(?:(?:could|can|would|will) you )?tell me\s*[,:]?\s+(?=(?:what|which|who|whom|whose|when|where|why|how)\b)"
    r"|^(?:i'd|i would) like to know\s*[,:]?\s+(?=(?:what|which|who|whom|whose|when|where|why|how)\b)",
    re.IGNORECASE,
)
_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff]")
_DASH = re.compile(r"(?<=\w)[\u2010-\u2015](?=\w)|(?<=\s)[\u2012-\u2015](?=\s)|\u2212(?=\d)")
_CODE = re.compile(r"[\n`<>{}\[\]\\|=;]|\(\s*[\u201c\u201d]")
_FAREWELL = re.compile(
    r"(?:(?<=[\w)\]])\s*,|(?<=[.!?]))?\s+(?:please|pls|plz|thanks|thank you|thx|cheers|many thanks|thanks in advance|"
    r"thank you in advance|thanks a lot|thank you very much)\s*[.!]*$",
    re.IGNORECASE,
)
_ASKS = re.compile(rf"^(?:{'|'.join(_OPENINGS.split())})\b", re.IGNORECASE)
_VERBATIM = re.compile(r"[\n`\"\u201c\u201d<>{}\[\]\\|=;]|(?<!\w)'|'(?!\w)")
_CHANGES_MEANING = ("<super>", "<sub>", "<fraction>", "<circle>", "<square>", "<font>")


def normalise(question: str) -> str:
    """*question* without differences that can't change its answer. Idempotent.

    Unicode forms, dashes, quotation marks and what isn't seen, white space, greetings, courtesies and thanks at the
    ends, closing marks, and the first letter's case ("us" and "US" may differ). Text with line breaks, quotes or code
    keeps everything but its Unicode form and the white space around it.
    """
    text = _one_form(question).strip()
    if _VERBATIM.search(text):
        return text
    text = re.sub(r"\s+", " ", text)
    while text and (shorter := _shortened(text)) != text:
        text = shorter
    return text


def _one_form(text: str) -> str:
    """NFKC, but for characters whose plain form means something else (2⁵, ½)."""
    if text.isascii():
        return text
    seen = _UNSEEN.sub("", text)
    once = unicodedata.normalize("NFC", seen if seen.strip() else text)
    plain = unicodedata.normalize("NFC", "".join(map(_plain, once))).strip()
    # In code a curly quotation mark or a long dash may be what is wrong.
    return plain if _CODE.search(plain) else _DASH.sub("-", re.sub("[\u201c\u201d\u201e]", '"', plain))


def _plain(character: str) -> str:
    if character in "\u2018\u2019":
        return "'"
    if unicodedata.decomposition(character).startswith(_CHANGES_MEANING):
        return character
    return unicodedata.normalize("NFKC", character)


def _shortened(text: str) -> str:
    """One step nearer to the bare question; never empty."""
    for bare in (
        _GREETING.sub("", text),
        _without_courtesy(text),
        _FAREWELL.sub("", text),
        _without_marks(text),
        _small_start(text),
    ):
        if bare and bare != text:
            return bare
    return text


def _without_courtesy(text: str) -> str:
    """Without "could you please"; a question mark at the end is part of that."""
    bare = _POLITE.sub("", text)
    return bare if bare == text else bare.rstrip("? ")


def _without_marks(text: str) -> str:
    """Without what ends a sentence; a question mark goes where the first word asks already."""
    if text.endswith(("!", "...", "…", "?.")) or (text.endswith(".") and text[-2:-1].isalnum()):
        return text.rstrip(".!…").rstrip()
    if text.endswith("?"):
        bare = text.rstrip("? ")
        return bare if _ASKS.match(text) else f"{bare}?"
    return text


def _small_start(text: str) -> str:
    """With a small first letter, unless the first word is an acronym or a name with inner capitals."""
    word = text.split(" ", 1)[0]
    return text[0].lower() + text[1:] if word[1:] == word[1:].lower() and word != "I" else text
