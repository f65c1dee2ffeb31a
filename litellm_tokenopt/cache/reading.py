"""What a question says, as far as rules can tell: its words, negations, roles, numbers and kind."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise
from typing import TypeAlias

from ..memo import Memo
from . import lexicon as lex
from .language import foreign_signs, is_english

_LITERAL = re.compile(
    r"```.*?```|`[^`\n]+`"  # code
    r"|\"[^\"\n]{1,200}\"|“[^”\n]{1,200}”|(?<!\w)'[^'\n]{2,200}'(?!\w)"  # quotes
    r"|(?<![\w.])\d+(?:[/:]\d+)+(?![\w/])|(?<![\w.-])\d{1,4}(?:-\d{1,2}){2}(?![\w-])|(?<![\w.])\d{1,2}\.\d{1,2}\.\d{2,4}\b"
    r"|https?://[^\s<>\"')]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # addresses
    r"|(?<![\w£$€])--?[A-Za-z][\w-]*|(?<!\w)[~.]?/[\w./-]+"  # flags, paths
    r"|\\[A-Za-z]\w*|(?<!\w)[%$][A-Za-z]\w*"  # \d, %y, $PATH: another case is another thing
    r"|\b\w+(?:_\w+)+\b|\b\w+(?:::\w+)+|\b\w+\(\)|\b[A-Za-z]{2,}\w*(?:\.[A-Za-z]\w*)+",
    re.S,
)
_BARE = re.compile(r"[A-Za-z0-9\s]*[?.!]?\Z")
"""Nothing but words, with a mark at the end: neither a literal nor a sign is in it."""
_TOKEN = re.compile(
    r"\d[\d,]*(?:\.\d+)*|\.net\b|[^\W\d_](?:[^\W\d_]|'(?!s\b)(?=\w))*(?:\+\+|#)?|'s\b|[£$€¥₹%°]|[,.;:!?\n]"
)
_SYMBOL = re.compile(r"[<>=+*^~|\\{}\[\]&@#≤≥≠\u00d7÷]|(?<=[\w)])\s*[-/]\s*(?=\d)|-(?=\d)")
_PIECE = re.compile(r"(?<!\S)(?=\S*[^\w\s])\S+")
_MARKS = frozenset(("-", "\u2013", "\u2014", "--", "...", "\u2026", "&"))
_OPENING_SIGNS = re.compile(r"[-+~!^*=<>@#&|%\\/]+(?=\w)")
_CLOSING_SIGNS = re.compile(r"(?<=\w)(?:[-+^*=#&|~]+)$")
_UNIT = re.compile(r"(?<![\w.])\d[\d.,]*\s?([A-Za-z]{1,3})\b")
_POLITE = re.compile(
    r"\b(?:(?:can|could|would|will) (?:you|someone|anyone|anybody)(?: please| kindly)? "
    r"(?:tell|show|let)(?: me| us)?(?: know)?(?: about)?|"
    r"please (?:tell|show|let) me(?: know)?|tell me|"
    r"(?:do|does) (?:you|anyone|anybody|someone) know|i (?:want|need|would like|wish|like) to (?:know|ask|find out)|"
    r"i (?:was|am|have been) (?:just )?wondering|i wonder|(?:can|could|may) i ask|any idea|quick question|"
    r"sorry to bother you(?: but)?|(?:can|could|would) you(?: please| kindly)?|"
    r"(?:thank you|thanks|cheers)(?: (?:in advance|so much|a lot|very much))?|many thanks|"
    r"(?<!\w )(?:hi there|hello there|good (?:morning|afternoon|evening)|hi|hello|hey))\b"
)
_ACRONYM = re.compile(r"\b[A-Z]{2,4}\b")
_LETTER_A = re.compile(r"(?<=\w )A(?=[\s?.,;)]|$)")
_SALUTATION = re.compile(
    r"^(?:hiya|howdy|greetings|(?:good )?(?:morning|afternoon|evening|day)|dear \w+(?: team)?)\s*[,!.]"
)
_QUOTES = {0x2018: "'", 0x2019: "'"}
_WH = frozenset("who whom whose when where why how what which".split())
_AUXILIARIES = frozenset(
    "is are was were am do does did has have had can could will would shall should may might must".split()
)
_MEASURES = frozenset(
    "many much long often far old soon likely big large tall high fast quickly early late deep heavy hot cold".split()
)
_LINKS = frozenset("and but so then also or if whether to of in for at on with from um uh er erm".split())
_ARTICLES = frozenset("a an the my your our their his her its this that".split())
_THINGS_ASKED = frozenset("who whom what which".split())
_DO = frozenset("do does did".split())
_FRONTED = frozenset("at in on for to from with by near during after before within without".split())
_PRESENT = frozenset("is are am do does".split())
_FUTURE = frozenset(("will", "shall"))
_PAST = frozenset("was were did".split())
_BE = frozenset("is are was were be been being am get gets got".split())
_FIRST = frozenset("i me my mine myself we us our ours".split())
_SECOND = frozenset("you your yours yourself".split())
_PERSONS = {"i": "i", "me": "i", "we": "we", "us": "we", "you": "you"}
_SPEAKER = frozenset(("i", "we"))
_OTHERS = frozenset("he she they someone somebody".split())
_BIDDING = frozenset("you to please and".split())
_OWNERS = {"my": "i", "our": "i", "his": "other", "her": "other", "their": "other"}
_POSSESSIVES = {"my": "i", "mine": "i", "our": "i", "ours": "i", "your": "y", "yours": "y"}
_JOINERS = frozenset("and or of at in for".split())
_PHRASE_OPENERS = lex.ROLE_PREPOSITIONS | frozenset(
    "about during until since while when if because although though once unless and or but so that who whom which "
    "where near between through within behind insteadof not".split()
)
"""What a phrase begins with that can stand elsewhere as a whole."""

_PLAIN_OPENERS = frozenset("and or but".split())
CLAUSE_OPENERS = frozenset("so that who whom which if because since for of when where".split())
"""Openers that may be left out where the phrase stands elsewhere: "what if it broke", "it broke, what now"."""

_ADVERB = re.compile(
    r"\w{2,}(?:ial|ical|onal|ual|rmal|ite|ate|ed|ar[iy]|ant|ent|ing|ful|ous|ive|able?|ib|ick|ct|ort)e?ly$|\w{3,}bly$"
)
_PARTICIPLE = re.compile(r"\w{2,}ed$")
_EXCHANGES = frozenset(map(lex.stem, "swap exchange trade substitute replace sell".split()))
_BREAKS = frozenset(",.;:!?\n")
_UNTOLD = _ARTICLES | _BREAKS | {"'s"}


Phrase: TypeAlias = tuple[str, tuple[str, ...]]
"""What it begins with, and its content words."""

NO_PHRASE: Phrase = ("", ())
"""Stands for the end of a clause."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one question, its stems, in order, each once; enough to see that most others say something else.

    `marked` is all tokens, marks among them, of the question in `lowered` letters.
    """

    plain: str
    literals: tuple[str, ...]
    lowered: str
    marked: tuple[str, ...]
    kind: str
    words: tuple[str, ...]
    texts: Mapping[str, str]
    names: frozenset[str]
    negated: tuple[str, ...]


_wording_fields = [field.name for field in fields(Wording)]


@dataclass(frozen=True, slots=True)
class Reading(Wording):
    """What one question says."""

    tokens: tuple[str, ...]
    symbols: tuple[str, ...]
    numbers: tuple[str, ...]
    ranks: frozenset[int]
    counts: frozenset[int]
    units: tuple[str, ...]
    english: bool
    lower: bool
    cased: Mapping[str, frozenset[str]]
    before: Mapping[str, frozenset[str]]
    beside: Mapping[str, frozenset[tuple[str, str]]]
    stranded: bool
    phrases: tuple[Phrase, ...]
    passive: frozenset[str]
    extraposed: frozenset[str]
    adverbs: frozenset[str]
    mutual: frozenset[str]
    roles: Mapping[str, frozenset[str]]
    loose: frozenset[frozenset[str]]
    listed: frozenset[frozenset[str]]
    adjacent: frozenset[frozenset[str]]
    agents: frozenset[str]
    asked: str
    focus: frozenset[str]
    persons: str
    parts: Mapping[str, frozenset[str]]
    owned: Mapping[str, frozenset[str]]
    owners: frozenset[str]
    tense: str
    conjunctions: frozenset[str]
    duty: str


_wordings: Memo[str, Wording] = Memo(max_entries=5_000)
_readings: Memo[str, Reading] = Memo(max_entries=5_000)


def wording(text: str) -> Wording:
    """The words of *text*; memoised."""
    return _wordings.get_or(text, lambda: _wording(text))


def read(text: str) -> Reading:
    """The reading of *text*; memoised."""
    return _readings.get_or(text, lambda: _read(text, wording(text)))


def _wording(text: str) -> Wording:
    plain = unicodedata.normalize("NFKC", text).translate(_QUOTES).strip()
    literals = () if _BARE.match(plain) else tuple(_literal(match.group()) for match in _LITERAL.finditer(plain))
    marked = _LITERAL.sub(" \ue000 ", plain) if literals else plain
    lowered = _without_politeness(_expanded(_acronyms(marked).lower()))
    tokens = _unfronted(_numbered(_TOKEN.findall(lowered)))
    words: dict[str, str] = {}
    for token in _without_measure(tokens):
        if content := content_stem(token):
            words.setdefault(content, token)
    return Wording(
        plain=plain, literals=literals, lowered=lowered, marked=tuple(tokens), kind=_kind(tokens), words=tuple(words),
        texts=words, names=_names(plain), negated=tuple(sorted(_negated(tokens))),
    )  # fmt: skip


def _read(text: str, said: Wording) -> Reading:
    plain, lowered, tokens = said.plain, said.lowered, [*said.marked]
    return Reading(
        **{name: getattr(said, name) for name in _wording_fields},
        tokens=tuple(token for token in tokens if token not in _BREAKS),
        symbols=_symbols(plain, said.literals) + foreign_signs(text),
        numbers=tuple(sorted(token for token in tokens if token[0].isdigit())), ranks=_said(lowered, lex.ORDINALS),
        counts=_said(lowered, lex.NUMBER_WORDS), units=tuple(_UNIT.findall(plain)),
        english=is_english(plain), lower=_is_lower(plain), cased=_cased(plain), before=_before(tokens),
        beside=_beside(tokens),
        stranded=_is_stranded(tokens), phrases=tuple(_phrases(tokens)), passive=frozenset(_passive(tokens)),
        extraposed=frozenset(_extraposed(tokens)),
        adverbs=frozenset(word for word, token in said.texts.items() if _ADVERB.match(token)),
        mutual=frozenset(content_stem(one) for one, other in pairwise(tokens) if other == "of") & lex.MUTUAL,
        roles=_roles(tokens), loose=_loose_pairs(tokens),
        listed=_listed_pairs(tokens),
        adjacent=frozenset(_adjacent_pairs(tokens)),
        agents=_agents(tokens), asked=_asked(tokens), focus=frozenset(_focus(tokens)), persons=_persons(tokens),
        parts=_gathered(_parts(tokens)), owned=_gathered(_owned(tokens)), owners=_owners(tokens), tense=_tense(tokens),
        conjunctions=frozenset({"and", "or"} & set(tokens)), duty=_duty(lowered, said.kind),
    )  # fmt: skip


def _literal(text: str) -> str:
    """A quotation without its marks; names of files and hosts in lower case."""
    if text[0] in "\"'“`":
        return text.strip("\"'“”`").rstrip(".,")
    return text.rstrip(".,?!;:").lower() if "." in text else text


def _said(text: str, numbers: Mapping[str, int]) -> frozenset[int]:
    """The *numbers* beyond two that small *text* has in words: which one (third), or how many (three)."""
    return frozenset(n for word in re.findall(r"[a-z]+", text) if (n := numbers.get(word, 0)) > 2)


def _symbols(text: str, literals: Sequence[str]) -> tuple[str, ...]:
    """Signs of arithmetic, comparison and code, in order; what signs stand at words or alone, *literals* aside."""
    if _BARE.match(text):
        return ()
    bare = _LITERAL.sub(" ", text) if literals else text
    pieces = [sign for piece in _pieces(bare) if (sign := _signed(piece))]
    return (*(match.group().strip() for match in _SYMBOL.finditer(text)), *pieces)


def _pieces(text: str) -> list[str]:
    """What stands between white space in *text* and holds signs, without marks that end it."""
    return _PIECE.findall(re.sub(r"(?:\s+[^\w\s]{1,3}|[?!.,;:\s]+)$", "", text))


def _signed(piece: str) -> str:
    """The signs of ``i++``, ``!true`` or ``?`` with their place; empty where there are only marks or currencies."""
    if not re.search(r"\w", piece):
        return "" if piece in _MARKS or not piece.isascii() else piece
    bare = piece.rstrip("?!.,;:)]}'\"")
    opening, closing = _OPENING_SIGNS.match(bare), _CLOSING_SIGNS.search(bare)
    return (f"{opening.group()}_" if opening else "") + (f"_{closing.group()}" if closing else "")


def _acronyms(text: str) -> str:
    """*text* with acronyms that look like function words (US, IT, WHO) made distinct; shouting is left alone."""
    if text.isupper():
        return text
    text = _LETTER_A.sub("aletter", text)
    return _ACRONYM.sub(lambda m: f"{m.group()}acronym" if m.group().lower() in lex.ACRONYMS else m.group(), text)


_ANY_PHRASE = re.compile("|".join(pattern.pattern for pattern, _ in lex.PHRASES))


def _expanded(text: str) -> str:
    if _ANY_PHRASE.search(text) is None:
        return text  # of most questions no phrase has another form: one search tells, instead of one for each
    for pattern, replacement in lex.PHRASES:
        text = pattern.sub(replacement, text)
    return text


def _without_politeness(text: str) -> str:
    return _POLITE.sub(" ", _SALUTATION.sub("", text)).strip(" ,.!;:")


def _names(text: str) -> frozenset[str]:
    """Stems of words with a capital letter inside a sentence."""
    found = re.findall(r"(?<![.!?:\n])\s+([A-Z][\w'-]*|\w+[A-Z]\w*)", text)
    return frozenset(lex.stem(word.lower().removesuffix("'s")) for word in found if word[:2] not in ("I", "I'"))


_WORD = re.compile(r"(?<![\w'])[A-Za-z][A-Za-z]+(?![\w'])")
_SENTENCE_START = re.compile(r"(?:^|[.!?:\n])\W*$")
_UNSTRESSED = lex.FUNCTION_WORDS - lex.ACRONYMS


def _is_lower(text: str) -> bool:
    """Whether *text* was typed without regard to case: no capital but at its start, or nothing but capitals.

    Capitals that stress a word that only grammar needs don't count.
    """
    return text.isupper() or not any(
        word.lower() not in _UNSTRESSED and word != word.lower() for word in _WORD.findall(text[1:])
    )


def _cased(text: str) -> Mapping[str, frozenset[str]]:
    """Of each word, in small letters, how it's written where its case says something: not at a sentence's start."""
    found: dict[str, set[str]] = {}
    if not text.isupper():
        for match in _WORD.finditer(text):
            word = match.group()
            if not _begins_sentence(text, match.start()) or word[1:] != word[1:].lower():
                found.setdefault(word.lower(), set()).add(word)
    return {word: frozenset(forms) for word, forms in found.items()}


def _begins_sentence(text: str, at: int) -> bool:
    # Mostly a word and a blank stand before it, which is told without a search.
    inside = text[at - 1 : at] == " " and text[max(0, at - 2) : at - 1].isalnum()
    return not inside and _SENTENCE_START.search(text[:at]) is not None


def _before(tokens: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """The prepositions that stand right before each content word, articles aside; empty text where none does."""
    found: dict[str, set[str]] = {}
    last = ""
    for token in tokens:
        if content := content_stem(token):
            found.setdefault(content, set()).add(last)
            last = ""
        elif token in lex.ROLE_PREPOSITIONS:
            last = token
        elif token not in _ARTICLES:
            last = ""
    return {word: frozenset(prepositions) for word, prepositions in found.items()}


def _beside(tokens: Sequence[str]) -> Mapping[str, frozenset[tuple[str, str]]]:
    """What stands before and behind each content word and each person, articles aside; empty text at the ends."""
    kept = [token for i, token in enumerate(tokens) if token not in _UNTOLD or _is_object(tokens, i)]
    plain = [_PERSONS.get(token) or content_stem(token) or token for token in kept]
    told = {_PERSONS.get(token) or content_stem(token) for token in kept} - {""}
    found: dict[str, set[tuple[str, str]]] = {}
    for i, word in enumerate(plain):
        if word in told:
            found.setdefault(word, set()).add((plain[i - 1] if i else "", plain[i + 1] if i + 1 < len(plain) else ""))
    return {word: frozenset(places) for word, places in found.items()}


def _is_object(tokens: Sequence[str], i: int) -> bool:
    """Whether the token is a *her* that nothing belongs to."""
    return tokens[i] == "her" and not (i + 1 < len(tokens) and content_stem(tokens[i + 1]))


def _is_stranded(tokens: Sequence[str]) -> bool:
    """Whether a preposition stands at the end: ``the manager of``."""
    words = [token for token in tokens if token not in _BREAKS]
    return bool(words) and words[-1] in lex.ROLE_PREPOSITIONS


def _phrases(tokens: Sequence[str]) -> Iterator[Phrase]:
    """*tokens* cut where a phrase begins that can stand elsewhere: what each begins with, and its content words."""
    opener: str = ""
    words: list[str] = []
    for token in (*tokens, "."):
        if token in _BREAKS or token in _PHRASE_OPENERS:
            if words or opener not in {"", *_PLAIN_OPENERS, *CLAUSE_OPENERS}:
                yield "" if opener in _PLAIN_OPENERS else opener, tuple(words)
            if token in _BREAKS:
                yield NO_PHRASE
            opener, words = "" if token in _BREAKS else token, []
        elif word := content_stem(token):
            words.append(word)


def _passive(tokens: Sequence[str]) -> Iterator[str]:
    """The verbs of passives: ``can rice be *frozen*``, ``is breakfast *included*``."""
    for clause in _clauses(tokens):
        for i, token in enumerate(clause):
            is_one = _PARTICIPLE.search(token) or token in lex.PARTICIPLES
            near = clause[max(0, i - 2) : i]
            if is_one and (not _BE.isdisjoint(near) or (i > 1 and clause[0] in _BE)) and (word := content_stem(token)):
                yield word


def _extraposed(tokens: Sequence[str]) -> Iterator[str]:
    """What *it* stands with for what follows: ``is it *safe* to eat``, ``does it *take* to get``."""
    for i, token in enumerate(tokens):
        if token == "it" and "to" in (reach := tokens[i + 1 : i + 4]):
            between = reach[: reach.index("to")]
            if lex.ROLE_PREPOSITIONS.isdisjoint(between):
                yield from filter(None, map(content_stem, between))


@lru_cache(maxsize=20_000)
def content_stem(token: str) -> str:
    """The stem that stands for a content word; empty for a function word, a negator or a mark."""
    if token in lex.THIRD_PERSON:
        return lex.THIRD_PERSON[token]
    if token in lex.UNIT_SIGNS:
        return lex.UNIT_SIGNS[token]
    if token in lex.UNITS:
        return lex.stem(lex.UNITS[token])
    if token in lex.FUNCTION_WORDS or token in lex.NEGATORS or token in _BREAKS or token == "'s":
        return ""
    return lex.stem(token)


def _numbered(tokens: Sequence[str]) -> list[str]:
    """Tokens with number words as digits, without commas and trailing zeros."""
    found: list[str] = []
    for token in tokens:
        number = _number(token)
        if number is None:
            found.append(token)
        elif token in lex.MULTIPLIERS and found and found[-1].isdigit():
            found[-1] = str(int(found[-1]) * lex.MULTIPLIERS[token])
        elif token in lex.NUMBER_WORDS and lex.NUMBER_WORDS[token] < 10 and found and found[-1] in _TENS:
            found[-1] = str(int(found[-1]) + lex.NUMBER_WORDS[token])
        elif token == "one":
            found.append(token)
        else:
            found.append(number)
    return [token for i, token in enumerate(found) if not _is_ordinal_mark(found, i)]


_TENS = frozenset(str(n) for n in range(20, 100, 10))


def _is_ordinal_mark(tokens: Sequence[str], i: int) -> bool:
    return tokens[i] in ("st", "nd", "rd", "th", "o'clock") and i > 0 and tokens[i - 1].isdigit()


def _number(token: str) -> str | None:
    if token[0].isdigit():
        digits = token.replace(",", "")
        return digits.removesuffix(".00")
    if token in lex.NUMBER_WORDS:
        return str(lex.NUMBER_WORDS[token])
    if token in lex.MULTIPLIERS:
        return str(lex.MULTIPLIERS[token])
    return str(lex.ORDINALS[token]) if lex.ORDINALS.get(token, 0) > 2 else None


def _unfronted(tokens: list[str]) -> list[str]:
    """``at the pharmacy , can I pay`` as ``can I pay at the pharmacy``."""
    if not tokens or "," not in tokens or tokens[0] not in _FRONTED:
        return tokens
    comma = tokens.index(",")
    rest = tokens[comma + 1 :]
    if comma > 8 or not rest or rest[0] not in _WH | _AUXILIARIES:
        return tokens
    tail = rest.pop() if rest[-1] in "?.!" else ""
    return [*rest, *tokens[:comma], *([tail] if tail else [])]


def _clauses(tokens: Sequence[str]) -> Iterator[list[str]]:
    clause: list[str] = []
    for token in tokens:
        if token in _BREAKS:
            yield clause
            clause = []
        else:
            clause.append(token)
    yield clause


def _kind(tokens: Sequence[str]) -> str:
    """What is asked for: who, when, …, how much, whether (yes or no), or say (no question)."""
    found = "say"
    for clause in _clauses(tokens):
        rest = list(clause)
        while rest and rest[0] in _LINKS:
            rest = rest[1:]
        if rest and rest[0] in _WH:
            found = _wh(rest)
        elif rest and rest[0] in _AUXILIARIES:
            found = "whether"
    if found == "say":
        position = next((i for i, token in enumerate(tokens) if token in _WH), None)
        return _wh(tokens[position:]) if position is not None else found
    return found


def _wh(tokens: Sequence[str]) -> str:
    first = {"whom": "who", "which": "what"}.get(tokens[0], tokens[0])
    if first == "how" and len(tokens) > 1 and tokens[1] in _MEASURES:
        when = f" {tokens[2]}" if len(tokens) > 2 and tokens[2] in ("before", "after") else ""
        return f"how {tokens[1]}{when}"
    return first


def _without_measure(tokens: list[str]) -> list[str]:
    """*tokens* without the ``much`` of the first ``how much``, which the kind holds."""
    for i, token in enumerate(tokens[:-1]):
        if token == "how":
            return [*tokens[: i + 1], *tokens[i + 2 :]] if tokens[i + 1] in _MEASURES else tokens
    return tokens


def _phrase(tokens: Sequence[str], start: int) -> Iterator[str]:
    """The run of content words from *start* on, articles before it aside."""
    begun = False
    for token in tokens[start : start + 8]:
        word = content_stem(token)
        if not word and (begun or token not in _ARTICLES | {"'s"}):
            return
        if word:
            begun = True
            yield word


def _next_content(tokens: Sequence[str], start: int, reach: int = 5) -> str:
    for token in tokens[start : start + reach]:
        if token in _BREAKS:
            return ""
        if found := content_stem(token):
            return found
    return ""


def _negated(tokens: Sequence[str]) -> Iterator[str]:
    """For each negator the word that it is about."""
    for i, token in enumerate(tokens):
        if token in lex.NEGATORS and not (token == "no" and tokens[i + 1 : i + 2] == [","]):
            following = next(iter(tokens[i + 1 : i + 2]), "")
            yield _next_content(tokens, i + 1) or following


def _roles(tokens: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """The words that prepositions of direction and comparison stand before."""
    found: dict[str, set[str]] = {}
    for i, token in enumerate(tokens):
        if token in lex.ROLE_PREPOSITIONS and (words := set(_phrase(tokens, i + 1))):
            found.setdefault("to" if token in ("into", "onto") else token, set()).update(words)
    return {preposition: frozenset(words) for preposition, words in found.items()}


def _loose_pairs(tokens: Sequence[str]) -> frozenset[frozenset[str]]:
    """Pairs of words whose order says nothing: members of a list, and both ends of a genitive."""
    pairs: set[frozenset[str]] = set()
    exchanged = not _EXCHANGES.isdisjoint(map(content_stem, tokens))
    for i, token in enumerate(tokens):
        if token in _JOINERS and not (token == "for" and exchanged) and not _goes_on(tokens, i):
            left = content_stem(tokens[i - 1]) if i else ""
            right = _next_content(tokens, i + 1, 3)
            pairs.add(frozenset((left, right)))
            if token not in ("and", "or"):
                follower = _after(tokens, i + 1, right)
                pairs.add(frozenset((left, follower)))
                before = content_stem(tokens[i - 2]) if i > 1 else ""
                pairs |= {frozenset((before, right)), frozenset((before, follower))}
        elif token == "'s" and i:
            owner = content_stem(tokens[i - 1])
            first = _next_content(tokens, i + 1)
            pairs |= {frozenset((owner, first)), frozenset((owner, _after(tokens, i + 1, first)))}
    return frozenset(pair for pair in pairs if len(pair) == 2 and "" not in pair)


def _goes_on(tokens: Sequence[str], i: int) -> bool:
    """Whether what follows the joiner comes later in time."""
    return tokens[i + 1 : i + 2] in (["then"], ["afterwards"], ["later"])


def _adjacent_pairs(tokens: Sequence[str]) -> Iterator[frozenset[str]]:
    for one, other in pairwise(map(content_stem, tokens)):
        if one and other:
            yield frozenset((one, other))


def _listed_pairs(tokens: Sequence[str]) -> frozenset[frozenset[str]]:
    """Both sides of *and* and *or*."""
    both = [
        frozenset((content_stem(tokens[i - 1]), _next_content(tokens, i + 1, 3)))
        for i, token in enumerate(tokens)
        if i and token in ("and", "or") and not _goes_on(tokens, i)
    ]
    return frozenset(pair for pair in both if len(pair) == 2 and "" not in pair)


def _after(tokens: Sequence[str], start: int, word: str) -> str:
    """The content word right behind *word*."""
    for i in range(start, min(start + 5, len(tokens) - 1)):
        if content_stem(tokens[i]) == word:
            return content_stem(tokens[i + 1])
    return ""


def _agents(tokens: Sequence[str]) -> frozenset[str]:
    """Who does it, in a passive: ``is bothered by Amy``."""
    return frozenset(
        _next_content(tokens, i + 1)
        for i, token in enumerate(tokens)
        if token == "by" and i > 1 and content_stem(tokens[i - 1]) and not _BE.isdisjoint(tokens[max(0, i - 8) : i])
    )


def _persons(tokens: Sequence[str]) -> str:
    """The order in which speaker and addressee first come: ``iy``, ``yi``, ``i``, ``y`` or nothing."""
    order = ["i" if token in _FIRST else "y" for token in tokens if token in _FIRST or token in _SECOND]
    bidden = _kind(tokens) == "say" and {"me", "us"} & set(tokens) and not {"i", "we"} & set(tokens)
    return "".join(dict.fromkeys(["y", *order] if bidden else order))


def _parts(tokens: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Verbs with the speaker's part in them: ``does`` it, has it ``done`` to them, or an ``other`` person does it."""
    passive = frozenset(_passive(tokens))
    for i, token in enumerate(tokens):
        if token in _SPEAKER and (verb := _next_content(tokens, i + 1)):
            yield verb, "done" if verb in passive else "does"
        elif token in _OTHERS:
            yield _next_content(tokens, i + 1), "other"
        elif token in ("me", "us"):
            yield from _done_to_speaker(tokens[:i])


def _done_to_speaker(before: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The verb right *before* me: ``Sam called (me)``, ``Sam wrote to (me)``, ``was hired by (me)``."""
    link = before[-1] if before and before[-1] in ("by", "to") else ""
    *subject, verb = (before[-3:-1] if link else before[-2:]) or [""]
    if link == "by" or (subject and _BIDDING.isdisjoint(subject) and _BREAKS.isdisjoint(subject)):
        yield content_stem(verb), "does" if link == "by" else "done"


def _owned(tokens: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What stands right behind *my* or *their*, with whose it is: the speaker's (``i``), or an ``other``'s."""
    for one, other in pairwise(tokens):
        if one in _OWNERS:
            yield content_stem(other), _OWNERS[one]


def _gathered(pairs: Iterator[tuple[str, str]]) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for word, sign in pairs:
        if word:
            found.setdefault(word, set()).add(sign)
    return {word: frozenset(signs) for word, signs in found.items()}


def _asked(tokens: Sequence[str]) -> str:
    """Whether who or what is asked for does it ("who called her") or has it done ("who did she call"), if clear."""
    for clause in _clauses(tokens):
        rest = list(itertools.dropwhile(_LINKS.__contains__, clause))
        if len(rest) < 2 or rest[0] not in _THINGS_ASKED:
            continue
        at = next((i for i, token in enumerate(rest) if token in _AUXILIARIES or token == "'s"), None)
        if at is None:
            return "subject"
        return "object" if rest[at] in _DO and rest[at + 1 : at + 2] != ["not"] else ""
    return ""


def _focus(tokens: Sequence[str]) -> Iterator[str]:
    """What *only* is about, where that follows."""
    for i, token in enumerate(tokens):
        if token == "only" and (word := _next_content(tokens, i + 1)):
            yield word


def _owners(tokens: Sequence[str]) -> frozenset[str]:
    """Whose things are spoken of: the speaker's (``i``), the addressee's (``y``)."""
    return frozenset(_POSSESSIVES[token] for token in tokens if token in _POSSESSIVES)


def _tense(tokens: Sequence[str]) -> str:
    """future, past, present, past_form (a verb in the past, and nothing else to go by), or empty when unclear."""
    found = set(tokens)
    past, present = bool(found & _PAST), bool(found & _PRESENT)
    if found & _FUTURE and not past:
        return "future"
    if past != present:
        return "past" if past else "present"
    return "past_form" if found.isdisjoint(_AUXILIARIES) and any(map(lex.is_past_form, found)) else ""


def _duty(text: str, kind: str) -> str:
    """Whether it is about what one must, should, can or will do; empty when unclear.

    Who asks how, what or where means the same by should; who asks whether, how much or how often doesn't.
    """
    found = {name for name, pattern in lex.DUTIES.items() if pattern.search(text)}
    if kind != "whether" and not kind.startswith("how "):
        found.discard("should")
    return found.pop() if len(found) == 1 else ""
