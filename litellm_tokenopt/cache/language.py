"""Whether a question is English, which is all that the models behind similarity know."""

from __future__ import annotations

import re
import unicodedata

from .lexicon import FUNCTION_WORDS

_QUOTED = re.compile(r"```.*?```|`[^`]*`|\"[^\"]*\"|\u201c[^\u201d]*\u201d|(?<!\w)'[^'\n]*'(?!\w)|https?://\S+", re.S)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_ELIDED = re.compile(r"(?:l|d|qu|j|n|s|c|m|t|dell|nell|all|un|quest)['\u2019](?=[^\W\d_]{2})", re.I)
_FOREIGN = frozenset(
    # German
    "der das den dem des ein eine einen einem einer ist sind wird werden wurde wie wo wann warum wer welche "
    "welcher welches wieviel viele ich du er sie wir ihr mein meine meinen meinem meiner dein deine kann "
    "kannst können könnte muss darf soll nicht kein keine mit ohne für von vom zum zur bei nach vor über "
    "unter auf aus und oder aber hier gibt heute bitte danke hallo habe "
    # French
    "le la les un une du au aux est sont quel quelle quels quelles qui que quoi où quand comment pourquoi "
    "combien je tu il elle nous vous ils elles mon ma ta ses votre vos notre puis peux peut pouvez dois ne "
    "pas avec sans dans pour par sur avant après ou et mais bonjour merci cette ces "
    # Spanish, Portuguese, Italian
    "el los las una uno del es son qué cómo dónde cuándo cuánto cuánta cuántos quién cuál como onde quando "
    "quanto quanta quem qual yo tú usted mi tu su puedo puede quiero con sin para por y pero hola gracias muy "
    "está esta este o os um uma do da dos das no na em são é ao com sem meu minha você posso pode obrigado "
    "olá não lo gli della dello delle degli nel nella sono che chi come dove perché quale quali io mio mia "
    "può senza per tra ciao grazie non di de "
    # Dutch, Swedish, Danish, Norwegian
    "het een zijn hoe waar wanneer waarom wie welke hoeveel ik jij je mijn uw kan kunt moet niet geen met "
    "zonder voor naar van bij uit en maar dank hoi och att det som är var hur när varför vem vilken jag min "
    "mitt inte med utan för från till på om eller hej tack hvordan hvor hvornår hvem hvilken jeg ikke uden "
    "til af på og "
    # Polish, Czech, Turkish, Romanian, Hungarian, Finnish, Indonesian
    "jak gdzie kiedy dlaczego kto ile czy jest są nie mogę może moje mój moja dla bez przed proszę dziękuję "
    "się że kde proč kdo kolik jsem můj ve ze nas\u0131l nerede neden kim kaç bir ve ile için mi m\u0131 "
    "benim değil nedir ne cum unde când cine câte este sunt pentru fără hogyan hol mikor miért hány az egy "
    "nem miten missä milloin miksi kuka on ei minun bagaimana dimana kapan mengapa siapa berapa saya yang dan "
    "untuk dengan tanpa apa adalah".split()
)
_BOTH = frozenset(
    "a i in is as was an on so we me am over of had do no to it or per for at want well van come min die also her "
    "be s t d m ll re ve um er oh y on o e non till uno son mi de and au du la".split()
)
"""English words that other languages have too: no sign of either."""

_ENGLISH = (FUNCTION_WORDS | frozenset("not without between before after during how why who".split())) - _BOTH
_STRANGE = _FOREIGN - _ENGLISH - _BOTH
_TYPOGRAPHIC = frozenset(
    "\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb\u2026\u2010\u2011\u2012\u2013\u2014\u2015\u00a3\u20ac\u00a5\u20b9\u00b0"
)


def is_english(text: str) -> bool:
    """Whether *text* may be English: its letters are Latin, and words that only grammar needs are not another's.

    Quotations and code aside. Text that shows neither way, such as "reset password", counts as English.
    """
    words = [word.lower() for word in _WORD.findall(_QUOTED.sub(" ", text))]
    english = sum(word in _ENGLISH or word.partition("'")[0] in _ENGLISH for word in words)
    if not text.isascii() and sum(not _is_latin(word) for word in words) > english:
        return False
    strange = sum(word in _STRANGE or (not word.isalpha() and _ELIDED.match(word) is not None) for word in words)
    if strange > english:
        return False
    return not FUNCTION_WORDS.isdisjoint(words) or all(word.isascii() for word in words)


def foreign_signs(text: str) -> tuple[str, ...]:
    """Signs, emoji and letters of other scripts in *text*, in order: to the models they're all one.

    Accents, typographic marks and currency signs are none.
    """
    if text.isascii():
        return ()
    return tuple(sign for sign in text if not sign.isascii() and sign not in _TYPOGRAPHIC and _is_sign_or_strange(sign))


def _is_sign_or_strange(sign: str) -> bool:
    category = unicodedata.category(sign)
    return not _is_latin(sign) if category[0] == "L" else category[0] not in "ZC" and category != "Mn"


def _is_latin(word: str) -> bool:
    return word.isascii() or all("LATIN" in unicodedata.name(letter, "") for letter in word if letter.isalpha())
