"""The exact key's form of a question: what people type differently when they ask the very same thing."""

from __future__ import annotations

import re
import unicodedata

from ..memo import Memo
from .language import is_english
from .lexicon import CASED

_OPENINGS = (
    "is are was were am do does did has have had can could will would shall should may might must who whom whose what "
    "which when where why how"
)
_GREETING = re.compile(
    r"^(?:(?:hi|hello|hey|hiya|greetings)(?: there| all| everyone| team)?|good (?:morning|afternoon|evening|day))"
    r"\s*[,!.]+\s+"
    r"|^(?:hi|hello|hey)(?: there)?\s+(?=(?:" + "|".join(_OPENINGS.split()) + r"|i|i'm|my|please)\b)"
    r"|^(?:dear (?:team|all|everyone|support|sirs?|madam|sir or madam|sir/madam)|hallo(?: zusammen)?|moin|servus|"
    r"guten (?:tag|morgen|abend)|liebes team|sehr geehrte damen und herren|bonjour|bonsoir|salut|hola|"
    r"buen(?:os d\u00edas|as tardes|as noches)|buongiorno|ol\u00e1|bom dia|boa tarde)\s*[,!.:]+\s+"
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
_SPOKEN_OF = frozenset(
    "say|says|saying|said|mean|means|word|words|of|for|as|like|write|spell|translate|is|to|the|a|with|by|and|or|use|"
    "using|without|in|from|between|phrase|hei\u00dft|sagt|dit|dire|dice|decir|significa".split("|")
)
"""After these a courtesy is what is asked about: how to say thanks."""

_FAREWELL = re.compile(
    r"(?:(?<=[\w)\]])\s*,|(?<=[.!?])"
    r"|(?P<word>\b\w+))\s+(?:please|pls|plz|thanks|thank you|thx|cheers|many thanks|thanks in advance|thanks a lot|"
    r"thank you (?:in advance|very much|so much)|(?:best|kind|warm)(?: |est )?regards|best wishes|bitte|danke|"
    r"vielen dank|"
    r"danke sch\u00f6n|(?:mit freundlichen|viele|liebe) gr\u00fc\u00dfen?|merci(?: beaucoup)?|"
    r"(?:bien )?cordialement|s'il (?:vous|te) "
    r"pla\u00eet|svp|(?:muchas )?gracias|por favor|saludos)\s*(?P<marks>[.!?]*)$",
    re.IGNORECASE,
)
_ASKS = re.compile(rf"^(?:{'|'.join(_OPENINGS.split())})\b", re.IGNORECASE)
_VERBATIM = re.compile(r"[\n`\"\u201c\u201d<>{}\[\]\\|=;]|(?<!\w)'|'(?!\w)")
SHOUTED_WORDS = 3
"""Of so few words in capitals each may be an acronym."""

SHORT_NAME = 3
"""Letters from which on a capital at a word's start is a name's or nobody's: Co is cobalt."""

REMEMBERED_CHARS = 1_000
"""A look-up asks for the same question's form a few times; longer texts would fill the memory."""

_known: Memo[str, str] = Memo(max_entries=5_000)

_CHANGES_MEANING = ("<super>", "<sub>", "<fraction>", "<circle>", "<square>", "<font>")


def normalise(question: str) -> str:
    """*question* without differences that can't change its answer. Idempotent.

    Unicode forms, dashes, quotation marks and what isn't seen, white space, greetings, courtesies and thanks at the
    ends, closing marks, and the case of English where it says nothing ("us" and "US" differ). Text with
    line breaks, quotes or code keeps everything but its Unicode form and the white space around it.
    """
    if len(question) > REMEMBERED_CHARS:
        return _folded(tidied(question))
    return _known.get_or(question, lambda: _folded(tidied(question)))


def tidied(text: str) -> str:
    """*text* as `normalise` has it, but for the case of all letters after the first. Idempotent."""
    found = _one_form(text).strip()
    if _VERBATIM.search(found):
        return found
    found = re.sub(r"\s+", " ", found)
    while found and (shorter := _shortened(found)) != found:
        found = shorter
    return found


def _folded(text: str) -> str:
    """English *text* in small letters, unless a capital in it may say something: US, Turkey, B12, myName, C."""
    small = text.lower()
    if small == text or not text.isascii() or _VERBATIM.search(text) or not is_english(text):
        return text
    words = text.split()
    shouted = text.isupper() and len(words) > SHOUTED_WORDS
    return text if any(_telling_capital(word.rstrip(",.;:?!"), shouted) for word in words) else small


def _telling_capital(word: str, shouted: bool) -> bool:
    if word == word.lower() or word in ("I", "I'm", "I've", "I'd", "I'll"):
        return False
    plain = word.removesuffix("'s").removesuffix("'S")
    if not plain.isalpha() or plain.lower() in CASED:
        return True
    return not shouted and (len(plain) < SHORT_NAME or plain[1:] != plain[1:].lower())


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
    for step in (
        _GREETING.sub("", text),
        _without_courtesy(text),
        _without_farewell(text),
        _without_marks(text),
        _small_start(text),
    ):
        if step and step != text:
            return step
    return text


def _without_courtesy(text: str) -> str:
    """Without "could you please"; a question mark at the end is part of that."""
    bare = _POLITE.sub("", text)
    return bare if bare == text else bare.rstrip("? ")


def _without_farewell(text: str) -> str:
    """Without thanks at the end; a question mark behind them stays."""
    found = _FAREWELL.search(text)
    if found is None or (found["word"] or "").lower() in _SPOKEN_OF:
        return text
    return text[: found.start()] + (found["word"] or "") + ("?" if "?" in found["marks"] else "")


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
    bare = text.lstrip("\u00bf\u00a1")
    word = bare.split(" ", 1)[0]
    small = bare[:1].lower() + bare[1:] if word[1:] == word[1:].lower() and word != "I" else bare
    return text[: len(text) - len(bare)] + small
