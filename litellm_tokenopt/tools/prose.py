"""Shorten the descriptions of tools and arguments: what constrains a call stays word for word.

A long description keeps its first sentence, and every later one that states a rule, a limit, a format, a
default, a side effect or an allowed value, or names an identifier. Introductions, praise and lists of occasions
go, long runs of examples keep their first, and brackets that repeat what the schema says are dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator

from .words import split_identifier, terms

LONG_TOOL_WORDS, LONG_ARGUMENT_WORDS = 30, 15
"""Descriptions of tools and arguments up to these lengths keep all their sentences."""

KEPT_EXAMPLES = 2
"""Quoted examples that stay of a longer run."""

_FENCE = re.compile(r"```|~~~")
_BLANKS = re.compile(r"[ \t\f\v\u00a0]+")
_LINES = re.compile(r"\s*\n\s*")
_SENTENCE = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[*]*[A-Z0-9])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|approx|incl|excl|no|max|min|resp|cf|Dr|Mr|Ms|St)\.|\b[A-Z]\.)$", re.IGNORECASE
)
LIST_ITEM = re.compile(r"^(?:[-*+•]|\d+[.)])\s")
_ARTICLE = re.compile(r"^(?:The|An?) (?!(?:the|an?)\b)([a-z])(?=[a-z]* )")
_CLOSING = re.compile(r"(?<!\s\d)(?<!\s\d\d)\)|\)(?!\s)")
_BRACKET = re.compile(r" ?\(([^()]*)\)")
_EXAMPLE_RUN = re.compile(
    r"((?:\be\.g\.,?|\bfor example,?|\bexamples?:|\bsuch as|\blike)\s*)"
    r"((?:(['\"])[^'\"]{1,80}\3(?:,? (?:and|or) |,\s*)?){3,})",
    re.IGNORECASE,
)
_EXAMPLE = re.compile(r"(['\"])[^'\"]{1,80}\1")

_STRONG_WORDS = (
    r"must|only|never|not|cannot|unless|except|instead|rather|prefer\w*|always|require[sd]?|requiring|mandatory|before|after"
    r"|default\w*|at least|at most|up to|exactly|limit\w*|max\w*|min\w*|delet\w*|overwrit\w*|irreversibl\w*"
    r"|permanent\w*|deprecated|destructive|side.effects?|confirm\w*|permission\w*|approv\w*|read.only"
)
_STRONG = re.compile(rf"\b(?:{_STRONG_WORDS})\b|n't\b|n\u2019t\b", re.IGNORECASE)
_RULE = re.compile(
    rf"\b(?:{_STRONG_WORDS}|no|none|without|optional|should|ensure|until|if|either|between|range|format\w*|units?|pattern|enum\w*"
    r"|allowed|valid\w*|invalid|accept\w*|support\w*|one of|values?|equal\w*|case.sensitive|ignored?|omit\w*|null|empty"
    r"|absolute|relative|encod\w*|iso|utc|timezone|currency|ids?|urls?|overrid\w*|replac\w*|remov\w*|costs?|charge[sd]?"
    r"|sends?|sent|publish\w*|writes?|modif\w*|creat\w*|execut\w*|warning|caution|important|critical|returns?|error\w*|fail\w*"
    r"|secur\w*|private|secret|auth\w*)\b|n't\b|n\u2019t\b",
    re.IGNORECASE,
)
_EXACT = re.compile(r"\d|[`{}<>=%$@#|\\]|\w[_/]\w|\w\.\w|[a-z][A-Z]|(?<!\w)['\"][^'\"]+['\"](?!\w)|https?:")
_FILLER = re.compile(
    r"^(?:this (?:tool|function|method|endpoint|api|operation|command)\s+(?:is\s+)?(?:\w+ly\s+)?"
    r"(?:useful|ideal|perfect|great|helpful|helps|provides a special|allows you|lets you|enables you|can be used)"
    r"|(?:perfect|ideal|great|useful|best|excellent) for"
    r"|use (?:this|it)(?: tool| function| method)? (?:when|for|to|if|whenever)"
    r"|used to help|this (?:gives|helps|prevents|ensures|enables|allows) "
    r"|(?:for example|for instance|examples?)\b)",
    re.IGNORECASE,
)
_EMPTY_WORDS = frozenset({"a", "an", "the", "of", "for", "to", "this", "its", "is", "in"})
_BOUND_WORDS = frozenset({"min", "max", "minimum", "maximum", "default", "defaults", "to", "one", "of", "or", "and"})
_SIGNIFICANT = re.compile(r"[^\W_]+|[^\w\s.,:;]")
_VALUES = re.compile(r"-?\d+(?:\.\d+)?|[\w-]+|[^\s,:;=.'\"\w]")


def tidy(text: str) -> str:
    """*text* without needless white space; text that holds a code block keeps it."""
    if _FENCE.search(text):
        return text.strip()
    return _LINES.sub("\n", _BLANKS.sub(" ", text)).strip()


def shorten_tool(text: str) -> str:
    """A tool's description with what constrains a call; never empty where it wasn't, and stable when repeated."""
    return settle(text, lambda short: _constraints(_few_examples(short), LONG_TOOL_WORDS))


def shorten_argument(text: str, facts: Collection[str] = ()) -> str:
    """An argument's description, likewise; *facts* are the words that its schema says already."""
    return settle(
        text,
        lambda short: _plain_start(_constraints(_few_examples(without_facts(short, facts)), LONG_ARGUMENT_WORDS)),
    )


def settle(text: str, change: Callable[[str], str]) -> str:
    """*text* tidied and changed until nothing more changes; itself where nothing is gained."""
    if _FENCE.search(text):
        return text.strip() or text
    short = tidy(text)
    while (shorter := tidy(change(short))) and len(shorter) < len(short):
        short = shorter
    return short if len(short) < len(text) else text


def _few_examples(text: str) -> str:
    """*text* with the first few of each run of quoted examples."""

    def cut(run: re.Match[str]) -> str:
        examples = [example.group() for example in _EXAMPLE.finditer(run.group(2))]
        ending = run.group(2)[run.group(2).rfind(examples[-1]) + len(examples[-1]) :]
        return run.group(1) + ", ".join(examples[:KEPT_EXAMPLES]) + ending

    return _EXAMPLE_RUN.sub(cut, text)


def without_facts(text: str, facts: Collection[str]) -> str:
    """*text* without the brackets that hold nothing but *facts*."""

    def redundant(bracket: re.Match[str]) -> str:
        words = {word.casefold() for word in _VALUES.findall(bracket.group(1))}
        known = bool(words) and words <= _BOUND_WORDS.union(facts) and not words <= _BOUND_WORDS
        return "" if known else bracket.group()

    return _BRACKET.sub(redundant, text) if facts else text


def _plain_start(text: str) -> str:
    """*text* without a leading article, and, where it is one sentence, without its full stop."""
    bare = _ARTICLE.sub(lambda found: found.group(1).upper(), text)
    is_single = bare.endswith(".") and bare.count(".") == 1 and "\n" not in bare
    return bare[:-1] if is_single and not _ABBREVIATION.search(bare) else bare


def _constraints(text: str, long_words: int) -> str:
    """The first sentence, and those after it that say how to call; a short *text* as it is."""
    if len(text.split()) <= long_words:
        return text
    lines = text.split("\n")
    kept = [list(_kept(line, is_first=index == 0)) for index, line in enumerate(lines)]
    return "\n".join(" ".join(sentences) for sentences in _with_heads(lines, kept) if sentences)


def _with_heads(lines: list[str], kept: list[list[str]]) -> Iterator[list[str]]:
    """*kept*, where a line that opens a list stays if and only if one of its items does."""
    for index, line in enumerate(lines):
        items = _items_after(lines, index) if line.endswith(":") and not LIST_ITEM.match(line) else range(0)
        if index and items:
            yield (kept[index] or [line]) if any(kept[item] for item in items) else []
        else:
            yield kept[index]


def _items_after(lines: list[str], head: int) -> range:
    end = head + 1
    while end < len(lines) and LIST_ITEM.match(lines[end]):
        end += 1
    return range(head + 1, end)


def _kept(line: str, *, is_first: bool) -> Iterator[str]:
    for index, sentence in enumerate(sentences(line)):
        if (is_first and index == 0) or says_how(sentence):
            yield sentence


def says_how(sentence: str) -> bool:
    """Whether a sentence constrains a call: a rule, a value, an identifier, a side effect."""
    if is_filler(sentence):
        return bool(_STRONG.search(sentence) or _EXACT.search(sentence))
    return bool(_RULE.search(sentence) or _EXACT.search(sentence))


def is_filler(sentence: str) -> bool:
    """Whether a sentence introduces, praises, names occasions or gives examples."""
    return _FILLER.match(sentence) is not None


def sentences(line: str) -> Iterator[str]:
    """The sentences of one line; abbreviations, and what stands in brackets, don't end one."""
    start = 0
    for gap in _SENTENCE.finditer(line):
        sentence = line[start : gap.end()].strip()
        if _ABBREVIATION.search(sentence) or _is_open(sentence):
            continue
        yield sentence
        start = gap.end()
    if rest := line[start:].strip():
        yield rest


def _is_open(text: str) -> bool:
    """Whether a bracket is open in *text*; ``1)`` numbers an entry."""
    return text.count("(") > len(_CLOSING.findall(text))


def adds_nothing(text: str, name: str) -> bool:
    """Whether *text* only repeats *name*: every word of it stands there (``The repo path`` of ``repo_path``)."""
    told = set(terms(name)) | {word.casefold() for word in split_identifier(name).split()}
    return all(_is_told(word.casefold(), told) for word in _SIGNIFICANT.findall(text))


def _is_told(word: str, told: Collection[str]) -> bool:
    stems = list(terms(word))
    return word in _EMPTY_WORDS or word in told or (bool(stems) and all(stem in told for stem in stems))
