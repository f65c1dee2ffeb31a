"""Thanks, greetings, praise and farewells: texts of nothing else need no tool, whatever a classifier makes of them."""

from __future__ import annotations

import re

_CORE = re.compile(
    r"\b(?:thanks?|thx|ty|cheers|hello|hi|hey|greetings|bye|goodbye|farewell|l(?:ol|mao)|(?:ha){2,}|welcome|appreciated?"
    r"|good (?:morning|afternoon|evening|night|day|one|job|work)|see (?:you|ya)|take care|well done"
    r"|that(?:'s| is| was| will be| would be) (?:all|everything|it|great|perfect|awesome|super|helpful|nice|good|cool)"
    r"|awesome|brilliant|perfect|amazing|wonderful|excellent|fantastic|lovely|nice|great|congrat\w*|how are you"
    r"|merci|danke|gracias|grazie|obrigad[oa]|bedankt|dank|dzięk\w+|спасибо|hola|bonjour|bonsoir|salut|ciao|hallo|guten"
    r"|buen[oa]s|buongiorno|olá|tschüss|adiós|revoir|arrivederci|привет|свидания)\b"
    r"|谢谢|謝謝|你好|再见|再見|ありがとう|こんにちは|おはよう|さようなら|감사|고마|안녕|ขอบคุณ|สวัสดี|شكرا|مرحبا|धन्यवाद|नमस्ते"
)

_WORDS = frozenset(
    """
    thank thanks thx ty cheers you u so very much really truly a an the lot lots ton tons million bunch again for your
    this that it its it's that's was is were will be would all everything nothing else more no nope great good nice
    perfect awesome brilliant amazing wonderful excellent fantastic lovely cool super fine helpful useful beautiful
    best job work one well done haha hahaha lol lmao bye goodbye farewell see ya later tomorrow soon then take care have
    had day evening night weekend week morning afternoon hello hi hey dear there how are doing today i i'm am we now ok
    okay appreciate appreciated love loved help time effort everyone all folks team friend congrats congratulations and
    to too yours wow yay oh ah just what you're been such my man guys mate greetings welcome
    merci beaucoup bien danke schön dir ihnen sehr vielen dank das war super muchas gracias mil por todo grazie mille
    tante obrigado obrigada muito bedankt dank je wel dziękuję dzięki bardzo спасибо большое вам hola bonjour bonsoir
    salut ciao domani hallo guten tag morgen abend buenos buenas días tardes noches buongiorno olá bom dia tschüss adiós
    au revoir arrivederci привет до свидания
    """.split()
)

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\u0600-\u06ff\u0900-\u097f]")

MOST_CHARS = 120
"""A longer text says something else too."""

MOST_UNSPACED = 12
"""The same in a script that needs fewer characters."""


def is_courtesy(text: str) -> bool:
    """Whether *text* is thanks, praise, a greeting or a farewell, and nothing else."""
    said = text.lower().replace("\u2019", "'")
    if len(said) > MOST_CHARS or re.search(r"\d", said) or not _CORE.search(said):
        return False
    if _UNSPACED.search(said):
        return len(said) <= MOST_UNSPACED
    return set(_WORD.findall(said)) <= _WORDS and ("?" not in said or "how are you" in said)
