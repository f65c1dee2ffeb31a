"""Descriptions in telegram style: what a caller must know, in as few words as it takes.

Clauses are weighed: a rule (must, only, never, required when, a side effect) before a form (format, unit, bound,
default, quoted value) before plain text, of which only the first clause stays, and of an argument only where it says
more than names and types do. Then words that carry nothing go: *The path to the file to read, relative to the root* of
``read_file(path)`` becomes *relative to root*. Quoted text, code and identifiers are never touched.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Set
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from .prose import LIST_ITEM, is_filler, sentences, settle, tidy, without_facts
from .words import split_identifier, terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Words that a description may have: of its first clause, with forms, and with rules.

    Commands (must, only if, never, unless) stay however long they are if `obeys`. Plain text about an argument must say
    `news` new things. Where nothing fits, the weightiest clause stays if `generous`.
    """

    first: int
    forms: int
    rules: int
    news: int = 2
    obeys: bool = True
    generous: bool = True


RULE, FORM, PLAIN = 2, 1, 0

_RULE = re.compile(
    r"\b(?:must|only|never|no|not|cannot|unless|except|instead|prefer\w*|always|require[sd]?|mandatory|deprecated"
    r"|destructive|irreversibl\w*|permanent\w*|overwrit\w*|replac(?:es?|ing)|delet(?:es?|ing)|confirm(?:ation)?"
    r"|careful(?:ly)?|caution|even (?:if|when|though)|last resort"
    r"|at least|at most|up to|exactly|without|mutually|ignored|omit(?:ted)?|before|until|limit(?:ed)? to|read.only"
    r"|inclusive|exclusive|exclud(?:es?|ing)|unassign|loses?|locks?|clears?|binding|undo|otherwise|afterwards|at once"
    r"|immediately|(?:(?:is|are|be|gets?)|['\u2019]s) (?:\w+ly )?(?:deleted|removed|overwritten|replaced|lost|cut"
    r"|charged|billed|notified|invited|cancell?ed|rejected|refused|blocked|locked|clamped|truncated|created|public|sent"
    r"|left out)|needs? (?:\w+ ){0,3}(?:roles?|permissions?|rights|scopes?|approval)"
    r"|(?:if|when|for|with|by) (?!(?:true|you|it|this|that|they|users?|we|there|one)\b)['\"`]?[\w.]+['\"`]?"
    r" (?:is|are|=|methods?|mode|actions?)\b)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_LIMIT = (
    r"\b(?:over|above|below|beyond|under|past|exceeding|(?:more|less|longer|shorter|older|newer|larger|bigger|smaller"
    r"|greater|fewer|higher|lower) than) (?:\w+ )?\d"
)
_LIMITED = re.compile(_LIMIT, re.IGNORECASE)
_ACTS = re.compile(
    rf"{_LIMIT}|\b(?:(?:moved?|moves|goes|go|sent|falls?|fell|reverts?) (?:back )?(?:to|out)|count(?:s|ed)? as"
    r"|turn(?:s|ed)? into|joins? as|treated as|follows? from|billed|split into|expanded|takes? (?:effect|over)|apply"
    r"|(?:is|are) (?:stopped|paused|skipped|dropped|hidden|merged|appended|mailed)|(?:gets?|follows?) (?:a|an|the)\b)\b"
    r"|^(?:if|when|unless|where) [^,]+, ",
    re.IGNORECASE,
)
_FORM_WORDS = (
    r"\b(?:default\w*|formats?|formatted|iso|rfc|utc|timezones?|iana|regex\w*|glob|base64|json|yaml|markdown|html|csv|uuid"
    r"|comma.separated|seconds?|minutes?|hours?|days?|ms|milliseconds?|bytes?|[kmg]b|pixels?|px|percent\w*|degrees|meters"
    r"|kilometers|miles|celsius|fahrenheit|cents|currency|relative|absolute|case.(?:in)?sensitive|min(?:imum)?|max(?:imum)?"
    r"|limits?|range|between|one of|zero-based|one-based|decimal\w*|radians|grams|kilograms|kg|km"
    r"|(?:start|end)(?:s|ing)? with|prefix\w*|suffix\w*|separated by|(?:lower|upper).?case|null|empty|missing|digits"
    r"|(?:short|long|great|larg|few|small|low|high)er than|(?:less|more) than"
    r"|yyyy(?:[-/.]?mm\w*)?|(?:mm|dd)[-/.](?:mm|dd)|hh:?mm"
    r"|fraction|ratio|true|false|two|three|four|five|six|ten)\b|(?<![\w.])-?\d(?!\d?\)\s)"
)
_QUOTED = r"(?<!\w)['\"`][^'\"`]+['\"`](?!\w)"
_FORM = re.compile(rf"{_FORM_WORDS}|{_QUOTED}|[<>=]|^[\w-]+(?:/| or )[\w-]+$", re.IGNORECASE)
_NAMES_FORM = re.compile(_FORM_WORDS, re.IGNORECASE)
_CLAUSE = re.compile(
    r"\s*;\s+|(?<!with)(?<!by)(?<!use)(?<!or)\s+[\u2013\u2014-]\s+(?![^()]*\))"
    r"|,\s+(?=(?:which|so that|so you|allowing|making|helping|enabling|ensuring|useful|ideal|perfect|including|such as)"
    r"\b)"
)
_NOTE = re.compile(r"^(?:notes?|important|warning|caution|tip|n\.?b\.?)\s*:\s*", re.IGNORECASE)
_EXAMPLES = re.compile(
    r"\s*[\[(](?:e\.?g\.?|for example|for instance|examples?|such as|like)[\s:,.]*[^()\[\]]*[\])]"
    r"|,?\s*\b(?:e\.g\.|for example|for instance|such as|examples? ?:)[\s:,]*"
    r"(?:'[^'\n]*'|\"[^\"\n]*\"|`[^`\n]*`|\.(?=\w)|[^.;()])*+(?=[.;)]|$)",
    re.IGNORECASE,
)
_COMMANDS = re.compile(
    r"\b(?:must|only|never|unless|except|instead|always|required?|mandatory|careful(?:ly)?|caution"
    r"|even (?:if|when|though)|last resort"
    r"|(?:do|does|did|is|are|may|should|can) ?not|(?:do|should|ca|must)n['\u2019]t)\b",
    re.IGNORECASE,
)
_ENTRIES = re.compile(r":\s*1\)\s")
_PRAISE = re.compile(
    r"^(?:(?:this|it|the) (?:\w+ )?(?:is )?)?"
    r"(?:perfect|ideal|great|useful|best|excellent|essential|helpful|more efficient)\b",
    re.IGNORECASE,
)
_OCCASIONS = re.compile(
    r"^[#*\s]*(?:when to use|use cases?|(?:key |main )?(?:features|capabilities)|benefits"
    r"|(?:good|best|ideal|great) for|examples?)\b.*:[*\s]*$",
    re.IGNORECASE,
)
_TELLS = re.compile(
    r"^(?:handles|provides|supports|returns|results|shows|displays|output|outputs|works|gives)\b", re.IGNORECASE
)
_BOUND = re.compile(
    r"[,;(]?\s*(?:\b(?:if|when) (?:not (?:provided|specified|given|set)|omitted|unset|absent),? (?:it |this )?)?"
    r"\b(?:default(?:s|ing)?|min(?:imum)?|max(?:imum)?)(?: value)?(?: is| of| to|:|=)?\s+"
    r"(['\"`]?)(-?[\w.]*\w)\1(?![\w'])(?=\s*(?:[,;)]|$))",
    re.IGNORECASE,
)
_SHOWS_FORM = re.compile(
    r"(?<!\w)(['\"`])(?=[^'\"`]*[\d/:_@#*\\-])[^'\"`]{1,40}\1|\b[\w-]*[A-Za-z][-/:_@#]\w[\w/:_@#-]*"
)
_DATE_FORM, _DATE = re.compile(r"\bYYYY[-/.]MM[-/.]DD\b"), re.compile(r"^['\"`]?\d{4}[-/.]\d\d[-/.]\d\d['\"`]?$")
_PROTECTED = re.compile(r"(`[^`]*`|(?<!\w)\"[^\"]*\"|(?<!\w)'[^'\n]{1,80}'(?!\w)|https?://\S+|\S*[_/{}<>=\\|@]\S*)")
_TRUE = r"(?:if|when|set(?: this)? to|setting (?:this|it)(?: \w+)? to) true,? ?(?:to |then )?"
_WORDS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), to)
    for pattern, to in (
        (r"^(?:this|the) (?:tool|function|method|endpoint|api|operation|command|parameter|argument|field|option|value)"
         r"(?: (?:is used to|can be used to|will|allows you to|lets you|is))? ", ""),
        (r"^(?:used to|use this(?: \w+)? to|tool (?:to|for)|allows? you to|lets you|specif(?:y|ies)|indicates?"
         r"|describes?) ", ""),
        (rf"^(?:a )?(?:boolean )?(?:flag )?(?:{_TRUE}|whether (?:or not )?to "
         r"|(?:indicating|indicates) whether (?:or not )?)", ""),
        (r"^(?:optional|optionally)[:,]? ", ""),
        (r"\bif (?:provided|specified|given|set|present),? ?", ""),
        (r"\bif (?:not (?:provided|specified|given|set)|omitted),? (?:it |this )?(?=defaults\b)", ""),
        (r"\bin order to\b", "to"), (r"\bas well as\b", "and"), (r"\bwhether or not\b", "whether"),
        (r"\b(?:prior to)\b", "before"), (r"\bin (?:this|that|such|which) (?:a )?case\b", "then"),
        (r"\b(?:in the event that|in case(?= \w))\b", "if"),
        (r"\b(?:which|that) (?:is|are|was|were|has been|have been) (?=\w+(?:ed|ing|en)\b)", ""),
        (r"\b(?:that|which) (?:should|will|can) be (?=\w+(?:ed|en)\b)", ""),
        (r"\b(?:you(?: would|'d)? (?:want|like|wish|need)(?: to)?|to be(?= \w+ed\b)|of your choice|of interest)\b", ""),
        (r"\b(?:the|an?|any) (?:given|specified|provided) (?=\w)", ""),
        (r"(?<![&\w'-])(?:(?:the|a|an|any|this|your|its|their) )+(?=[a-z'\"`(])", ""), (r"^(?:the|a|an) (?=\w)", ""),
        (r"(?<!in )\b(?:specific|particular|certain|various|desired|respective|corresponding|existing)\b(?= \w)", ""),
        (r"\b(?:please|simply|just|easily|basically|also|very|currently|successfully|automatically|simultaneously)\b"
         r"(?= \w)", ""),
        (r"\bmust be (?:a|an) ", "must be "), (r"\bneeds? to (?:already )?(?=\w)", "must "), (r"\bis not\b", "isn't"),
    )
)  # fmt: skip
_OPENED, _CLOSED = re.compile(r"(?<!\w)'(?=\S)"), re.compile(r"(?<=\S)'(?!\w)")
_SPACES = re.compile(r"\s{2,}")
_BEFORE_MARK = re.compile(r"\s+([,.;)]|:(?!:))")
_CUTS = re.compile(
    r",\s|(?<!based)\s(?=(?:and|with|for|from|by|in|on|when|using|including|based on|across|within|while)\s)|\s(?=\()"
)
_TAILS = re.compile(r"\s(?=(?:of|for|from|to|in|on|at|with|about|by|across|within|into) )")
_CONDITION = re.compile(r"^(?:\w+: )?(?:if|when|unless) [^,]*$", re.IGNORECASE)
_HANGING = re.compile(r"\b(?:for|of|with|in|on|to|from|by) \S+$")
_WAITING = re.compile(r"\b(?:for|of|with|in|on|to|from|by|number|amount|type|kind|count|share)$", re.IGNORECASE)
_DANGLING = re.compile(r"\b(?:never|not|no|only|always|must|without|except|unless|but|than)$", re.IGNORECASE)
_COUNTS = re.compile(r"\b(?:max(?:imum)?|min(?:imum)?) (?:number|amount|count) of\b", re.IGNORECASE)
_BRACKETED = re.compile(r"\(([^()]+)\)")
_STANDARD = re.compile(r"\d|[A-Z]{3,}")
_NAMED_STANDARD = re.compile(r"[A-Z]{3,}")
_NOT_ALONE = re.compile(
    r"\b(?:true|false|formats?|formatted|ranges?|limits?|prefix\w*|suffix\w*|null|empty|missing)\b|^\W*\d+\W*$",
    re.IGNORECASE,
)
_LEADING = re.compile(
    r"^(?:(?:in|as|using|with|of|for|and|or) "
    r"|(?:(?:valid|allowed|possible) )?(?:values? (?:are |is )?)?(?:rang(?:es?|ing) )?(?:from |between )?(?=-?\d))",
    re.IGNORECASE,
)
_TORN = re.compile(r"^(?:to|and|or|being|is|are)\b|^(['\"`])[^'\"`]*\1$", re.IGNORECASE)
_FORM_JOINTS = re.compile(r":\s|[()]|\s(?=(?:in|as|using|with|of|for) )")
_COMMAS, _OR = re.compile(r",\s"), re.compile(r"\s?\bor ")
_RANGE = re.compile(r"(-?\d[\d.,]*%?) \((?![^()]*clusive)[^()]*\) (to|and) (-?\d[\d.,]*%?)")
_TOKENS = re.compile(r"\w+_\w+|[^\W_]+|[<>=%$|]")

_GENERIC = frozenset(
    stem
    for word in (
        "name names value values string strings text number numbers integer boolean bool flag array list lists "
        "object field parameter argument option options specify specifies provide provided given used use using "
        "set desired specific particular item items identifier identifiers id ids unique return returned returns "
        "result results want wanted entry entries describe description content contents data input one each all "
        "pagination paging page next retrieve fetch get target numeric required default defaults min max minimum "
        "maximum whether include if filter type new current array objects containing details about information piece "
    ).split()
    for stem in (word, *terms(word))
)
_EMPTY = frozenset(
    "a an the of for to this that its is are be in on at with from by and or as it you your user will which per".split()
)
_ALIASES = {
    "repositori": "repo", "directori": "dir", "organization": "org", "organisation": "org", "identifier": "id",
    "maximum": "max", "minimum": "min", "parameter": "param", "configuration": "config", "environment": "env",
    "application": "app", "message": "msg", "document": "doc", "information": "info", "authentication": "auth",
}  # fmt: skip


def telegram_tool(text: str, told: str, budget: Budget) -> str:
    """A tool's description in telegram style; never empty where it wasn't, and stable when repeated.

    *told* are the names of the tool and its arguments: what the first clause ends in needn't say them again.
    """
    known = _known(told)
    return settle(text, lambda short: _tool(short, known, budget) or short)


def telegram_argument(text: str, told: str, facts: Collection[str], budget: Budget) -> str:
    """An argument's description likewise, but empty where it says nothing beyond what is *told*.

    *told* are names and the tool's description; *facts* are the words that its schema says already.
    """
    return _settled_argument(text, told, frozenset(fact.casefold() for fact in facts), budget)


@lru_cache(maxsize=5_000)
def _settled_argument(text: str, told: str, facts: frozenset[str], budget: Budget) -> str:
    known = _known(told).union(facts, *map(_stems, facts))
    short = tidy(text)
    while len(shorter := _argument(short, known, facts, budget)) < len(short):
        short = shorter
    return short


def without_forms(text: str) -> str:
    """*text* without its words for units and formats: said of a tool, they don't tell those of an argument."""
    return _NAMES_FORM.sub("", text)


def _known(told: str) -> set[str]:
    return _stems(told).union(told.casefold().split())


def _tool(text: str, known: Set[str], budget: Budget) -> str:
    first, *others = [*map(_plain, _clauses(_without_examples(text)))] or [""]
    core = _without_told_tail(_cut(first, budget.first), known)
    room = replace(budget, generous=False)
    telling = [
        clause
        for clause in others
        if weight(clause) > PLAIN and (not _TELLS.match(clause) or _commands(clause) or _LIMITED.search(clause))
    ]
    return "; ".join(filter(None, [core, *_within(room, telling)]))


def _argument(text: str, known: Collection[str], facts: Collection[str], budget: Budget) -> str:
    bare = _without_bounds(without_facts(text, facts), facts)
    clauses = [_plain(_without_told(clause, known)) for clause in _clauses(_without_examples(bare))]
    plain = clauses[:1] if clauses and weight(clauses[0]) == PLAIN and _news(clauses[0], known) >= budget.news else []
    telling = [_form(clause, budget) for clause in clauses if weight(clause) > PLAIN and _news(clause, known)]
    return "; ".join(_within(budget, [*(_cut(clause, budget.first) for clause in plain), *telling]))


def _within(budget: Budget, clauses: list[str]) -> list[str]:
    """The weightiest of *clauses*, in their order: rules and forms as far as the budget of each goes, then text.

    Commands stay beyond that, if the budget has it so.
    """
    room = {RULE: budget.rules, FORM: budget.forms, PLAIN: budget.first}
    kept: set[int] = set()
    for index in sorted(range(len(clauses)), key=lambda index: (-weight(clauses[index]), index)):
        words, here = len(clauses[index].split()), weight(clauses[index])
        if words <= room[here] or (budget.generous and not kept):
            kept.add(index)
            room[here] -= words
            room[PLAIN] -= words if here else 0
    kept.update(index for index, clause in enumerate(clauses) if budget.obeys and _commands(clause))
    return list(dict.fromkeys(clauses[index] for index in sorted(kept)))


def _form(clause: str, budget: Budget) -> str:
    """The shortest part of *clause* that names its form, where the clause is longer than *budget* has; else itself.

    Of a rule only what stands in brackets is a part: half a rule is worse than none.
    """
    is_rule = weight(clause) == RULE
    if len(clause.split()) <= (budget.rules if is_rule else budget.forms) or (budget.obeys and _commands(clause)):
        return clause
    parts = _BRACKETED.findall(clause) if is_rule else [_RANGE.sub(r"\1 \2 \3", clause)]
    pieces = [_LEADING.sub("", piece.strip(" ,")) for part in parts for piece in _pieces(part)]
    forms = [one for one in dict.fromkeys(pieces) if _is_form(one) and not _is_one_of_several(one, clause)]
    fitting = [one for one in forms if len(one.split()) <= budget.forms]
    return min(fitting, key=lambda one: (not _STANDARD.search(one), len(one)), default=clause)


def _pieces(clause: str) -> Iterator[str]:
    """The parts of *clause*; of alternatives only one that names a standard is a part, lest it be taken for all."""
    for part in _FORM_JOINTS.split(clause):
        alternatives, listed = _OR.split(part), _COMMAS.split(part)
        yield part
        if len(alternatives) > 1:
            yield from (one for one in alternatives if _STANDARD.search(one) and not _COMMAS.search(one))
        elif not any(map(_TORN.search, listed)) and any(" " in one for one in listed):
            yield from listed


def _is_one_of_several(piece: str, clause: str) -> bool:
    """Whether *piece* has some of the values or alternatives of *clause*, but not all, and names no standard."""
    here, there = (len(re.findall(_QUOTED, text)) for text in (piece, clause))
    is_alternative = _OR.search(clause) is not None and _OR.search(piece) is None
    return 0 < here < there or (is_alternative and not _NAMED_STANDARD.search(piece))


def _is_form(piece: str) -> bool:
    """Whether a part of a clause names a form by itself."""
    says_more = piece.startswith("e.g. ") or _NAMES_FORM.search(_NOT_ALONE.sub("", piece))
    return weight(piece) == FORM and bool(says_more) and _is_whole(piece) and not _TORN.search(piece)


def weight(clause: str) -> int:
    """How much a clause constrains a call: `RULE`, `FORM` or `PLAIN`."""
    if _RULE.search(clause) or _ACTS.search(clause):
        return RULE
    return FORM if _FORM.search(clause) else PLAIN


def _clauses(text: str) -> Iterator[str]:
    for line in _told_lines(text):
        bare = LIST_ITEM.sub("", line)
        for sentence in sentences(bare):
            if (is_filler(sentence) or _PRAISE.match(sentence)) and not _commands(sentence):
                continue
            for clause in _parts(sentence):
                if (stripped := _NOTE.sub("", clause).strip(" .,")) and not _PRAISE.match(stripped):
                    yield stripped.rstrip(":") if not stripped.endswith("::") else stripped


def _told_lines(text: str) -> Iterator[str]:
    """The lines of *text* without lists of occasions, features and examples, but for commands in them."""
    idle = False
    for line in text.split("\n"):
        is_item = LIST_ITEM.match(line.strip()) is not None
        idle = bool(_OCCASIONS.match(line)) or (idle and is_item)
        if not idle or (is_item and _commands(line)):
            yield line


def _parts(sentence: str) -> Iterator[str]:
    """The clauses of *sentence*; what a dash explains in a word or two stays with it."""
    start = 0
    for joint in _CLAUSE.finditer(sentence):
        head = sentence[start : joint.start()]
        if (len(head.split()) > 2 or joint.group().strip() == ";") and not _CONDITION.match(head):
            yield sentence[start : joint.start()]
            start = joint.end()
    yield sentence[start:]


def _without_examples(text: str) -> str:
    """*text* without examples; one that shows a form (digits, signs) stays, but a date behind its form in letters."""

    def one(run: re.Match[str]) -> str:
        shown = _SHOWS_FORM.search(run.group())
        told = shown is not None and _DATE_FORM.search(text[: run.start()]) and _DATE.search(shown.group())
        return f" (e.g. {shown.group()})" if shown and not told else ""

    return _EXAMPLES.sub(one, text)


def _commands(text: str) -> bool:
    """Whether *text* says what must or must not be done; of numbered entries, what stands before them."""
    return _COMMANDS.search(_ENTRIES.split(text)[0]) is not None


def _without_bounds(text: str, facts: Collection[str]) -> str:
    """*text* without the bounds and defaults that are among *facts*."""

    def one(found: re.Match[str]) -> str:
        opened = found.group().startswith("(")
        return found.group() if found.group(2).casefold() not in facts else " (" if opened else ""

    return re.sub(r"\s*\(\s*[,;]?\s*\)", "", re.sub(r"\(\s*[,;]\s*", "(", _BOUND.sub(one, text))) if facts else text


def _without_told(clause: str, known: Collection[str]) -> str:
    """*clause* without its head, up to a comma or bracket, where that says nothing beyond what is *known*."""
    for mark in re.finditer(r",\s|\s(?=\()|:\s|\s(?=in (?:the )?format\b)", clause):
        head, rest = clause[: mark.start()], clause[mark.end() :]
        if not rest or not _is_whole(head) or weight(_COUNTS.sub("", head)) > PLAIN or _news(head, known):
            continue
        if not rest.startswith("("):
            return _without_told(rest, known)
        if rest.endswith(")") and rest.count("(") == 1:
            return _without_told(rest[1:-1], known) if weight(rest) > PLAIN else head
    return clause


def _without_told_tail(clause: str, known: Set[str]) -> str:
    """*clause* without the phrases at its end that say nothing beyond what is *known*; two words stay at least."""
    if weight(clause) > PLAIN:
        return clause
    heads = (clause[: joint.start()] for joint in _TAILS.finditer(clause))
    told = (head for head in heads if len(head.split()) > 1 and _is_whole(head) and not _WAITING.search(head))
    return next((head for head in told if _says_only(clause[len(head) :], known)), clause)


def _says_only(text: str, known: Set[str]) -> bool:
    """Whether every word of *text* is among the *known*, or carries nothing."""
    words = (word.casefold() for word in _TOKENS.findall(text))
    return all(word in _EMPTY or not known.isdisjoint(_stems_of_word(word)) for word in words)


def _is_whole(text: str) -> bool:
    """Whether no bracket or quotation is left open in *text*."""
    opened, closed = (len(quote.findall(text)) for quote in (_OPENED, _CLOSED))
    return opened == closed and text.count("(") == text.count(")") and not any(text.count(mark) % 2 for mark in '"`')


def _news(text: str, known: Collection[str]) -> int:
    """How many words of *text* say something new."""
    return sum(not _is_known(word.casefold(), known) for word in _TOKENS.findall(text))


def _is_known(word: str, known: Collection[str]) -> bool:
    if "_" in word:
        return word in known
    return word in _EMPTY or any(stem in known for stem in _stems_of_word(word)) or _is_generic(word)


@lru_cache(maxsize=20_000)
def _stems_of_word(word: str) -> frozenset[str]:
    """The stems of one lower-case *word*, and the word."""
    return frozenset((word, *_stems(word)))


@lru_cache(maxsize=20_000)
def _is_generic(word: str) -> bool:
    return not _GENERIC.isdisjoint(_stems_of_word(word))


def _stems(text: str) -> set[str]:
    plain = split_identifier(text)
    found = {*terms(plain), *(word.casefold() for word in plain.split())}
    return (
        found
        | {_ALIASES[stem] for stem in found if stem in _ALIASES}
        | {long for long, short in _ALIASES.items() if short in found}
    )


def _plain(clause: str) -> str:
    """*clause* without the words that carry nothing."""
    pieces = _PROTECTED.split(clause)
    pieces[::2] = map(_bare_words, pieces[::2])
    bare = _BEFORE_MARK.sub(r"\1", _SPACES.sub(" ", "".join(pieces))).strip(" ,")
    return bare if bare.endswith("::") else bare.strip(" ,:")


def _bare_words(text: str) -> str:
    for pattern, to in _WORDS:
        text = pattern.sub(to, text)
    return text


def _cut(clause: str, budget: int) -> str:
    """*clause* up to the last joint within *budget* words, if no rule or form stands behind it."""
    if len(clause.split()) <= budget:
        return clause
    joints = [joint.start() for joint in _CUTS.finditer(clause) if 3 <= len(clause[: joint.start()].split()) <= budget]
    joints = [at for at in joints if not (clause[at:].startswith(" and ") and _HANGING.search(clause[:at]))]
    joints = [at for at in joints if not _DANGLING.search(clause[:at])]
    fitting = [at for at in joints if not weight(clause[at:]) and clause[:at].count("(") == clause[:at].count(")")]
    return clause[: fitting[-1]].rstrip(" ,") if fitting else clause
