"""Whether two questions that look alike ask different things.

Everything in which they differ must be explained: words by synonyms, spelling or emptiness, order by lists,
genitives, passives or relations that hold both ways. What is left over is a reason not to share an answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations, pairwise

from . import lexicon as lex
from .reading import CLAUSE_OPENERS, NO_PHRASE, Phrase, Reading, Wording, content_stem, read, wording
from .standing import oneself_apart


def veto(asked: str, stored: str) -> str | None:
    """Why the answer to *stored* must not be given to *asked*; None when nothing speaks against it.

    Symmetric, and None for equal texts. The reason is one of few words (a metric's attribute).
    """
    return next(_objections(asked, stored), None)


def objections(asked: str, stored: str) -> tuple[str, ...]:
    """All that speaks against it, what weighs most first; `veto` gives the first."""
    return tuple(_objections(asked, stored))


def _objections(asked: str, stored: str) -> Iterator[str]:
    if asked == stored:
        return
    if _lines_moved(asked, stored):
        yield "lines"
    first, second = read(_unquoted(asked, stored)), read(_unquoted(stored, asked))
    yield from (reason for check in _CHECKS if (reason := check(first, second)))


def _unquoted(one: str, other: str) -> str:
    """*one* without the marks of what it quotes in words that *other* has without marks: "late fee", late fee."""
    said = other.lower()

    def bare(found: re.Match[str]) -> str:
        return found[1] if re.search(rf'(?<![\w"\u201c]){found[1].lower()}(?![\w"\u201d])', said) else found[0]

    return _QUOTED.sub(bare, one)


def _lines_moved(asked: str, stored: str) -> bool:
    """Whether both are the same lines in another order, which a list, a log or two passages mean something by."""
    ours, theirs = asked.split("\n"), stored.split("\n")
    return ours != theirs and sorted(ours) == sorted(theirs)


_QUOTED = re.compile(r"[\"\u201c]([A-Za-z][a-z' ]*[a-z])[\"\u201d]")
"""Plain words between double marks."""

SAME_WORDS = 0.8
"""The share of their words that two texts have in common which are no more than rearranged."""

_WORDING = frozenset(("words", "question_word", "order"))
_VAGUE_KINDS = frozenset(("say", "whether", "what"))


def worded_anew(asked: str, stored: str, found: Sequence[str]) -> bool:
    """Whether two questions differ in their wording as a whole, rather than in one place or in what they ask for.

    Look-alikes are mostly a word put in, or put in another's place; who asks the same again uses other words all over.
    *found* is what `objections` found.
    """
    a, b = read(asked), read(stored)
    if _WORDING.isdisjoint(found) or (a.kind != b.kind and _VAGUE_KINDS.isdisjoint((a.kind, b.kind))):
        return False
    ours, theirs = len(_unmatched(a, b) - _asking(a, b)), len(_unmatched(b, a) - _asking(b, a))
    return "words" not in found or (min(ours, theirs) > 0 and max(ours, theirs) > 1)


def said_alike(one: str, other: str) -> bool:
    """Whether nothing speaks against it, and no word of either is left over, however empty."""
    return not any(_left_over(wording(one), wording(other))) and veto(one, other) is None


def unmatched_words(one: str, other: str) -> tuple[frozenset[str], frozenset[str]]:
    """The words of each text without a counterpart in the other."""
    a, b = read(one), read(other)
    return _unmatched(a, b), _unmatched(b, a)


def told_besides(one: str, other: str) -> bool:
    """Whether one text says of its speaker, beside its question, what the other says nowhere: "I'm a student"."""
    return _told_besides(one, other) or _told_besides(other, one)


def _told_besides(one: str, other: str) -> bool:
    a, b = read(one), read(other)
    lone = _unmatched(a, b) - lex.EMPTY_WORDS
    if not lone or not (turn := oneself_apart(one)).told:
        return False
    told, asked = (frozenset(read(text).words) for text in turn)
    # Where the question needs what is told ("I'm out of butter, what can I use?"), the other may say it inside its own.
    needed = told - asked - lone - lex.EMPTY_WORDS
    return not needed and not told.isdisjoint(lone) and len(_unmatched(b, a)) <= len(lone - told)


def _language(a: Reading, b: Reading) -> str | None:
    return None if (a.english and b.english) or a.plain == b.plain else "language"


def moved(one: str, other: str) -> bool:
    """Whether what both texts speak of stands in another order, or another role, that may mean something."""
    a, b = read(one), read(other)
    return (_roles(a, b) or _meant(a, b) or _order(a, b)) is not None


def listed_otherwise(one: str, other: str) -> bool:
    """Whether both texts list the same in another order, which matters to "the second one"."""
    a, b = read(one), read(other)
    return _reordered(a, b) and bool(a.loose & b.loose)


def rearranged(one: str, other: str) -> bool:
    """Whether both texts are nearly the same words in another order: a key but no card, the pill before the wine."""
    a, b = read(one), read(other)
    ours, theirs = Counter(a.tokens), Counter(b.tokens)
    return _reordered(a, b) and (ours & theirs).total() >= SAME_WORDS * (ours | theirs).total()


def _reordered(a: Reading, b: Reading) -> bool:
    common = frozenset(a.words) & frozenset(b.words)
    return [word for word in a.words if word in common] != [word for word in b.words if word in common]


def _literals(a: Reading, b: Reading) -> str | None:
    return "literal" if (a.literals, a.symbols) != (b.literals, b.symbols) else None


def _empty(a: Reading, b: Reading) -> str | None:
    """Without a content word there is nothing to compare but the text itself."""
    return "words" if not (a.words and b.words) and a.tokens != b.tokens else None


def _question_kind(a: Reading, b: Reading) -> str | None:
    if a.kind == b.kind or _same_kind(a, b):
        return None
    return "question_word"


def _numbers(a: Reading, b: Reading) -> str | None:
    """Numbers as often, and units in the same case where case tells them apart (mW, MW); third isn't three."""
    if a.numbers != b.numbers or a.ranks & b.counts - b.ranks or b.ranks & a.counts - a.ranks:
        return "number"
    pairs = zip(a.units, b.units, strict=False)
    apart = any(x != y and x.lower() == y.lower() in lex.CASED_UNITS and not _bytes(x, y) for x, y in pairs)
    return "number" if apart else None


def _bytes(x: str, y: str) -> bool:
    """Whether one is the other typed carelessly: gb for GB."""
    return {x, y} == {x.lower(), x.upper()} and x.lower() in ("kb", "mb", "gb", "tb")


def _case(a: Reading, b: Reading) -> str | None:
    """Whether a word's case tells two things apart: WHO and who, Turkey and turkey."""
    for word in a.cased.keys() & b.cased.keys():
        ours, theirs = a.cased[word], b.cased[word]
        if (ours != theirs and word in lex.CASED) or (not ours & theirs and _telling_case(word, a.lower or b.lower)):
            return "case"
    return None


def _telling_case(word: str, careless: bool) -> bool:
    return not (careless or word in lex.FUNCTION_WORDS or word in lex.UNITS)


_ASKED_BY_NOUN = {
    "how much": "price cost fee charge rate amount total fare tax salary wage rent quantity tariff premium number",
    "how many": "number count amount quantity",
    "how long": "duration time length period",
    "how far": "distance",
    "how old": "age",
    "how often": "frequency",
    "how tall": "height",
    "how high": "height",
    "when": "time date deadline day hour hours month year schedule",
    "where": "place location city country address town",
    "who": "name person author owner inventor founder",
    "how": "way method process procedure step technique",
    "why": "reason cause purpose",
}
_NOUNS = {kind: frozenset(map(lex.stem, nouns.split())) for kind, nouns in _ASKED_BY_NOUN.items()}


def _same_kind(a: Reading, b: Reading) -> bool:
    kinds = {a.kind, b.kind}
    if "what" in kinds:
        other = next(iter(kinds - {"what"}))
        return bool(_NOUNS.get(other, frozenset()) & {*a.words, *b.words})
    return kinds == {"say", "how"}


def _negation(a: Reading, b: Reading) -> str | None:
    if a.negated == b.negated or _flipped(a, b):
        return None
    return "negation"


def _flipped(a: Wording, b: Wording) -> frozenset[str]:
    """The two words of which one says just what the other says with a denial, if any: "not possible", "impossible"."""
    if abs(len(a.negated) - len(b.negated)) != 1:
        return frozenset()
    flips = [(x, y) for x in _unmatched(a, b) for y in _unmatched(b, a) if _opposite(a, x, b, y)]
    if len(flips) != 1:
        return frozenset()
    x, y = flips[0]
    more, word = (a, x) if len(a.negated) > len(b.negated) else (b, y)
    undone = word in more.negated and _contradictory(a.texts[x], b.texts[y])
    return frozenset(flips[0]) if undone else frozenset()


def _contradictory(x: str, y: str) -> bool:
    return _prefixed(x, y) or frozenset((lex.stem(x), lex.stem(y))) in lex.COMPLEMENTS


def _bearings(a: Reading, b: Reading) -> str | None:
    """What no other wording explains: from and to turned round, "her family" for "Ann's family"."""
    if _turned_round(a, b) or _turned_round(b, a):
        return "roles"
    return "reference" if _named_instead(a, b) or _named_instead(b, a) else None


def _named_instead(a: Reading, b: Reading) -> bool:
    """Whether *b* says a name once more where *a* has he or she."""
    if not {"he", "she"} & (frozenset(a.words) - frozenset(b.words)):
        return False
    ours, theirs = Counter(map(content_stem, a.tokens)), Counter(map(content_stem, b.tokens))
    return any(theirs[name] > ours[name] > 0 for name in b.names)


def _words(a: Reading, b: Reading) -> str | None:
    left, right = _left_over(a, b)
    if not left and not right:
        return None
    if any(word[0].isdigit() for word in left | right) or (left & lex.UNIT_STEMS and right & lex.UNIT_STEMS):
        return "number"
    if any(_opposite(a, x, b, y) for x in left for y in right):
        return "antonym"
    if any(frozenset((x, y)) in lex.CONFUSABLE for x in left for y in right):
        return "look_alike"
    if (left and right) or not (left | right) <= lex.EMPTY_WORDS:
        return "name" if (left & a.names) | (right & b.names) else "words"
    return None


def _left_over(a: Wording, b: Wording) -> tuple[frozenset[str], frozenset[str]]:
    """The words of each that nothing in the other explains."""
    flipped = _flipped(a, b)
    return _unmatched(a, b) - _asking(a, b) - flipped, _unmatched(b, a) - _asking(b, a) - flipped


def _asking(a: Wording, b: Wording) -> frozenset[str]:
    """Nouns by which *a* asks for what *b*'s question word asks for: the *number* of days, *how many* days."""
    return _NOUNS.get(b.kind, frozenset()) if a.kind == "what" else frozenset()


def _unmatched(a: Wording, b: Wording) -> frozenset[str]:
    """Words of *a* without a counterpart in *b*."""
    others = frozenset(b.words)
    free = others.difference(a.words)
    return frozenset(
        word for word in a.words if word not in others and not any(_alike(a, word, b, other) for other in free)
    )


def _alike(a: Wording, x: str, b: Wording, y: str) -> bool:
    if y in lex.SYNONYMS.get(x, ()):
        return True
    return not (x in a.names and y in b.names) and (_misspelt(x, y) or _derived(x, y) or _derived(y, x))


def _derived(x: str, y: str) -> bool:
    """Whether *y* is *x* as an adverb or as a noun for what it does: slowly, recommendation."""
    ending = y.removeprefix(x)
    return ending != y and len(x) >= lex.ENDINGS.get(ending, len(y)) and x not in lex.TOLD_BY_ENDING


def _misspelt(x: str, y: str) -> bool:
    """Whether one is the other with a letter left out inside, two neighbours swapped, or another vowel."""
    if x > y or len(x) > len(y):
        x, y = sorted((x, y), key=lambda word: (len(word), word))
    if len(y) < 5 or x[0] != y[0] or not (x + y).isalpha() or frozenset((x, y)) in lex.CONFUSABLE:
        return False
    if len(x) == len(y) >= 8 and _one_vowel_apart(x, y):
        return True
    if len(y) - len(x) == 1:
        return any(y[:i] + y[i + 1 :] == x for i in range(1, len(y) - 1))
    return len(x) == len(y) and any(
        y[:i] + y[i + 1] + y[i] + y[i + 2 :] == x for i in range(1, len(y) - 1) if y[i] != y[i + 1]
    )


def _one_vowel_apart(x: str, y: str) -> bool:
    apart = [(p, q) for p, q in zip(x[:-1], y[:-1], strict=True) if p != q]
    return x[-1] == y[-1] and len(apart) == 1 and set(apart[0]) <= set("aeiou")


def _opposite(a: Wording, x: str, b: Wording, y: str) -> bool:
    return frozenset((x, y)) in lex.ANTONYMS or _prefixed(a.texts[x], b.texts[y]) or _turned_over(x, y)


_WAYS = (("up", "down"), ("in", "out"), ("over", "under"), ("pre", "post"))


def _turned_over(x: str, y: str) -> bool:
    """Whether both are one word with opposite beginnings: upstairs, downstairs."""
    pairs = (pair for ways in _WAYS for pair in (ways, ways[::-1]))
    return any(
        x.startswith(one)
        and y.startswith(other)
        and len(rest := x.removeprefix(one)) > 2
        and rest == y.removeprefix(other)
        for one, other in pairs
    )


def _prefixed(x: str, y: str) -> bool:
    """Whether one is the other behind a negative prefix, or with -less for -ful."""
    short, long = sorted((x, y), key=len)
    if len(short) < 3:
        return False
    if long.endswith(short) and long.removesuffix(short) in lex.NEGATIVE_PREFIXES:
        return True
    return long.endswith("less") and long[:-4] in (short, short.removesuffix("ful"))


def _order(a: Reading, b: Reading) -> str | None:
    """Whether what both speak of stands in another order that may mean something."""
    common = frozenset(a.words) & frozenset(b.words)
    first = [word for word in a.words if word in common]
    place = {word: i for i, word in enumerate(word for word in b.words if word in common)}
    inverted = {frozenset((x, y)) for x, y in combinations(first, 2) if place[x] > place[y]}
    inverted -= _harmless(a, b)
    if a.agents != b.agents and (a.agents ^ b.agents) & common:
        return _voice(a, b, first, inverted)
    if _hold_both_ways(a, b, common):
        inverted = {pair for pair in inverted if any(word[0].isdigit() for word in pair)}
    free = (a.extraposed ^ b.extraposed) | (a.adverbs & b.adverbs) | _turned(a, b)
    inverted = {pair for pair in inverted if not pair & free}
    if not inverted or _phrases_moved(a, b):
        return None
    return "exchange" if _exchanged(a, b) else "order"


def _exchanged(a: Reading, b: Reading) -> bool:
    """Whether two of the words took each other's place: each stands beside what the other stood beside."""
    moved = [word for word in a.beside if word in b.beside and not a.beside[word] & b.beside[word]]
    return any(_in_place(a, x, b, y) and _in_place(a, y, b, x) for x, y in combinations(moved, 2))


def _in_place(a: Reading, x: str, b: Reading, y: str) -> bool:
    """Whether *y* stands in *b* behind, or before, what *x* does in *a*."""
    return any(p == r or q == s for p, q in a.beside[x] for r, s in b.beside[y])


def _hold_both_ways(a: Reading, b: Reading, common: frozenset[str]) -> bool:
    """Whether what both speak of is a relation that holds both ways, and nothing is compared by it."""
    if a.agents or b.agents or "than" in (*a.tokens, *b.tokens):
        return False
    return bool(common & lex.SYMMETRIC or a.mutual & b.mutual)


def _turned(a: Reading, b: Reading) -> frozenset[str]:
    """Verbs that only one text has in the passive, without a doer: what is done to then comes first."""
    if a.agents or b.agents:
        return frozenset()
    return frozenset(
        verb for verb in a.passive ^ b.passive if verb in a.texts and verb in b.texts and a.texts[verb] != b.texts[verb]
    )


def _phrases_moved(a: Reading, b: Reading) -> bool:
    """Whether both are the same phrases in another order, each behind the same one where several begin alike."""
    ours, theirs = ({opener for opener, _ in x.phrases} for x in (a, b))
    bare = (ours ^ theirs) & CLAUSE_OPENERS
    first, second = ([("" if opener in bare else opener, words) for opener, words in x.phrases] for x in (a, b))
    apart = (Counter(first) - Counter(second)) + (Counter(second) - Counter(first))
    if any(words for _, words in apart):
        return False
    twice = {opener for x in (first, second) for opener, n in Counter(o for o, _ in x).items() if n > 1 and opener}
    return _attached(first, twice) == _attached(second, twice)


def _attached(phrases: Sequence[Phrase], openers: set[str]) -> Counter[tuple[Phrase, Phrase]]:
    """Phrases with one of *openers*, each with the phrase before it."""
    return Counter(pair for pair in pairwise([NO_PHRASE, *phrases]) if pair[1][0] in openers)


def _harmless(a: Reading, b: Reading) -> frozenset[frozenset[str]]:
    """Pairs that may change places: in lists, and where a genitive or a compound is put another way."""
    same_words = sorted(a.tokens) == sorted(b.tokens)
    lists = (a.listed & (b.listed | b.adjacent)) | (a.adjacent & b.listed)
    return lists if same_words or a.stranded != b.stranded else lists | (a.loose - a.listed) | (b.loose - b.listed)


def _voice(a: Reading, b: Reading, order: list[str], inverted: Iterable[frozenset[str]]) -> str | None:
    """An active and a passive: doer and done-to must have changed places."""
    moved = frozenset().union(*inverted) if inverted else frozenset()
    return None if (a.agents ^ b.agents) & moved and order[0] in moved else "roles"


def _roles(a: Reading, b: Reading) -> str | None:
    common = frozenset(a.words) & frozenset(b.words)
    ours, theirs = frozenset(a.words) - _unmatched(a, b), frozenset(b.words) - _unmatched(b, a)
    for preposition in a.roles.keys() & b.roles.keys():
        x, y = a.roles[preposition], b.roles[preposition]
        apart = not x & y and not any(_alike(a, one, b, other) for one in x for other in y)
        if apart and x <= ours and y <= theirs and not _hold_both_ways(a, b, common):
            return "roles"
    if _number_elsewhere(a, b):
        return "roles"
    return "roles" if _other_owner(a, b) else None


def _meant(a: Reading, b: Reading) -> str | None:
    """What other words don't explain: who called her or whom she called, only what, and who is to do it for whom."""
    if {a.persons, b.persons} == {"iy", "yi"}:
        return "persons"
    if _other_part(a, b) or _other_part(b, a):
        return "speaker"
    if {a.asked, b.asked} == {"subject", "object"} and a.words and frozenset(a.words) == frozenset(b.words):
        return "exchange"
    longer = a.kind != b.kind and a.kind.startswith("how long") and b.kind.startswith("how long")
    return "focus" if longer or (a.focus and b.focus and a.focus != b.focus) else None


def _other_part(a: Reading, b: Reading) -> bool:
    """Whether the speaker does in *a* what is done to them, or another does, in *b*; or has what is another's there."""
    done = any("does" in a.parts[verb] and "does" not in b.parts[verb] for verb in a.parts.keys() & b.parts.keys())
    return done or any(a.owned[thing].isdisjoint(b.owned[thing]) for thing in a.owned.keys() & b.owned.keys())


_LIKE_PREPOSITIONS = tuple(map(frozenset, (("of", "for"), ("in", "on", "at"), ("to", "into"), ("on", "onto"))))


def _prepositions(a: Reading, b: Reading) -> str | None:
    """Whether the same words stand behind other prepositions: photos *in*, *of* the museum."""
    if a.words != b.words or a.agents or b.agents:
        return None
    for word in a.before.keys() & b.before.keys():
        x, y = a.before[word], b.before[word]
        if "" not in x | y and not x & y and not any(x | y <= like for like in _LIKE_PREPOSITIONS):
            return "preposition"
    return None


def _turned_round(a: Reading, b: Reading) -> bool:
    """Whether *b* goes to where *a* comes from."""
    none: frozenset[str] = frozenset()
    return bool(a.roles.get("from", none) & b.roles.get("to", none) - b.roles.get("from", none))


def _number_elsewhere(a: Reading, b: Reading) -> bool:
    """Whether a number follows another preposition: *at* seven, *for* seven."""
    for number in (word for word in a.words if word[0].isdigit()):
        first = {preposition for preposition, words in a.roles.items() if number in words}
        second = {preposition for preposition, words in b.roles.items() if number in words}
        if first and second and first.isdisjoint(second):
            return True
    return False


def _other_owner(a: Reading, b: Reading) -> bool:
    """Whether *my* became *your*, but for the general "how do you … your"."""
    general = a.kind == "how" and {a.persons, b.persons} == {"i", "y"}
    return bool(a.owners and b.owners) and not a.owners & b.owners and not general


_OTHER_TIMES = frozenset(map(frozenset, (("past", "present"), ("past", "future"), ("past_form", "future"))))


def _grammar(a: Reading, b: Reading) -> str | None:
    if frozenset((a.tense, b.tense)) in _OTHER_TIMES:
        return "tense"
    if a.duty and b.duty and a.duty != b.duty:
        return "duty"
    if _done_to(a, b) or _done_to(b, a):
        return "voice"
    if {a.conjunctions, b.conjunctions} == {frozenset({"and"}), frozenset({"or"})}:
        return "conjunction"
    return None


def _done_to(a: Reading, b: Reading) -> bool:
    """Whether the same stands first in a passive, and with the same verb in *b*: who was paid, who paid."""
    for verb in a.passive - b.passive:
        if verb in b.texts and a.persons == b.persons and not (a.agents or b.agents):
            ours, theirs = (set(x.words[: x.words.index(verb)]) for x in (a, b))
            if ours == theirs and (a.kind == "who" or (ours and a.texts[verb] != b.texts[verb])):
                return True
    return False


_CHECKS: tuple[Callable[[Reading, Reading], str | None], ...] = (
    _language, _literals, _case, _numbers, _negation, _bearings, _words, _empty, _question_kind, _grammar,
    _prepositions, _roles, _meant, _order,
)  # fmt: skip
