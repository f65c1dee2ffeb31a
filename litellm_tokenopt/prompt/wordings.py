"""The wordings by which a sentence says what must, must not or may be done, told by its grammar.

Read are the words of obligation, prohibition, permission and limits, and what stands before them: "customers who have
to wait", "they were not allowed" and "must have been lost" describe, and ask for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

ABSOLUTE, BINDING, ADVISORY, COMMANDED, NONE = 4, 3, 2, 1, 0
"""Always, never, must; the same in other words; what should be done; what a trained classifier takes for a rule; what
asks for nothing."""

_Stands: TypeAlias = Callable[[str, "re.Match[str]"], bool]
"""Whether what was found in a sentence is a duty there."""


@dataclass(frozen=True, slots=True)
class _Form:
    """A way to say a duty: looked for where one of its `signs` is among a sentence's words."""

    duty: int
    signs: frozenset[str]
    pattern: re.Pattern[str]
    stands: _Stands

    def is_in(self, text: str) -> bool:
        return any(self.stands(text, match) for match in self.pattern.finditer(text))


_APPROVAL = (
    r"(?:approval|consent|permission|sign-?off|signatures?|authori[sz]ations?|confirmation|clearance|go-ahead"
    r"|written [a-z]+)"
)
_ROLES = (
    r"(?:we|you|i|the (?:assistant|agent|bot|model|chatbot)|assistants?|agents?|staff|employees?|operators?"
    r"|advis[eo]rs?|colleagues?|representatives?|clerks?|nurses?|doctors?|physicians?|technicians?|managers?|drivers?|supervisors?"
    r"|(?:team|shift|group) (?:leads?|leaders?|members?)|leads?|workers?|engineers?|developers?|reviewers?"
    r"|admin(?:istrator)?s?|minors|children|visitors|contractors?|trainees?|interns?|apprentices?|tutors?|teachers?"
    r"|moderators?|editors?|analysts?|cashiers?|tellers?|officers?|guards?|crew|volunteers?)"
)
_OF_ROLES = rf"\b{_ROLES}(?: (?:under|below|over|with|without|of|in|on|at|from)(?: [\w'-]+){{1,4}}?)? "
_ANSWERS = r"(?:answers?|repl(?:y|ies)|responses?|messages?|output|summar(?:y|ies)|reports?|letters?|e-?mails?)"
_MAYBE = (
    r"(?:be (?:able|aware|available|visible|possible|ready|sure|clear|obvious|familiar|enough|the|a)|have|load"
    r"|work|match"
    r"|know|see|appear|arrive|always|need|yet|reflect|show|understand|remember|want|reali[sz]e|exist|support|include"
    r"|contain|apply|respond|suffice|fit|like|notice|find|get|fully|even)\b"
)
_ALLOWED = (
    r"(?:allowed|permitted|acceptable|accepted|authori[sz]ed|entitled|optional"
    r"|tolerated|for (?:customers|disclosure|distribution|publication|sharing|public))"
)
_BOUND = (
    r"(?:illegal|unlawful|barred|disallowed|unacceptable|off[- ]limits|out of bounds"
    r"|out of the question|confidential|obligatory|imperative|essential|reserved (?:for|to)|restricted to"
    r"|limited to|confined to|capped at|closed to|subject to|required|obliged|obligated|bound by|expected to)"
)
_STRICTLY = r"(?:forbidden|prohibited|banned|mandatory|compulsory|non-negotiable)"
_BE = r"(?:\b(?:is|are|be|being|remains?|stays?|counts? as)|'s|'re)"
_HOW = r"(?: (?:[a-z]+ly|also|therefore|thus|then|always|still|at all times|all|only|both|first))*"
_DONE = r"(?:[a-z]+(?:ed|en|wn|pt|ght|ld|nt|ut|id)|done|made|kept|held|read|set|cut|gone|met|begun|run|put|told)"
_PLACE = r"(?:in|by|with|to|from|at|after|through|via|against|under|inside|within|during)"

_PAST = re.compile(
    r"\b(?:was|were|had|did|went|came|got|arrived|opened|closed|found|took|became|ha(?:s|ve) (?:been|not"
    r"|[a-z]+ed))\b|n't been"
)
_GUESS = re.compile(rf"must(?:n't| not)? have (?:[a-z]+ly )?(?:been|{_DONE})\b")
_FIRST = re.compile(r"\b(?:before (?=[a-z])|(?:prior to|by the time|in order to|at least)\b)")
_DESCRIBED = re.compile(
    r"(?:\b(?:who|which|that|what|whether|did|would|could|might|may|will|wo|not|no|no longer|rarely|hardly|they|he|she"
    r"|people|most|some|many|often|sometimes|usually)|n't)\s*$"
)
_RELATIVE = re.compile(r"\b(?:who|which|that|if|when|whether|because|what)\s*$")
_SUBORDINATE = re.compile(
    r"\b(?:if|when|whenever|whether|because|since|as (?:it|they|he|she|this|the)|where|so that|in case|although|though"
    r"|while)\s+(?:[\w'-]+\s+){0,5}$"
)
_AIM = re.compile(
    r"\b(?:aim|goal|purpose|job|task|role|idea|plan|step|way|mission|point|option|solution|trick|intention"
    r"|objective|motto"
    r"|habit|thing|part|challenge|best|easiest|reason|tradition|tendency|hope|wish|use|approach|focus|key)\b[^,;]*$"
)
_OTHERS_NEED = re.compile(
    r"\b(?:apis?|endpoints?|tools?|functions?|scripts?|librar(?:y|ies)|servers?|systems?|apps?|browsers?|plugins?"
    r"|modules?"
    r"|packages?|versions?|methods?|parameters?|fields?|commands?|installations?|devices?|phones?|printers?|engines?"
    r"|customers?|users?|clients?|guests?|patients?|callers?|travellers?|you|they|he|she|people|it|one|somebody|someone"
    r"|lifts?|machines?|cars?|plants?|buildings?)\s+(?:[a-z]+ly\s+|also\s+|often\s+|sometimes\s+)?$"
)
_NO_RULE = re.compile(
    r" (?:problem|matter|wonder|doubt|need|longer|results?\b.*\bfound|idea|one knows|surprise|sooner)\b|,|\. ?\d"
    r"|.*\bknows?\b"
)
_TOLD_BEFORE = re.compile(r"(?:\b(?:has|have|had|was|were|who|which|if|when|because|did|most \w+)|'(?:ve|d))\s*$")
_TOLD_AFTER = re.compile(r" (?:[a-z]{2,}ed|came|went|got|took|saw|wore|had|was|were|knew|gave|made|been)\b")
_PASSIVE = re.compile(r"\b(?:is|are|be|gets?|being)\s*$")
_ASKED = re.compile(
    r"(?:^|[.!?:;,()\u2013\u2014|>\u2192]|->|\b(?:please|and|or|but|so|then|also|just|otherwise|simply|should))\s*$"
    rf"|{_OF_ROLES}$"
)


def duty_in(text: str, words: Collection[str]) -> int:
    """How strictly a sentence of these *words*, in small letters with straight apostrophes, asks for something."""
    signs = _SIGNS.intersection(words)
    return next((form.duty for form in _FORMS if not signs.isdisjoint(form.signs) and form.is_in(text)), NONE)


def _stands(text: str, match: re.Match[str]) -> bool:
    """For words that mean a duty wherever they stand."""
    return True


def _must(text: str, match: re.Match[str]) -> bool:
    before = text[: match.start()]
    if _GUESS.match(text, match.start()) and not _FIRST.search(text):
        return False
    return not (_RELATIVE.search(before) or _is_aside(before, text[match.end() :]))


def _ever(text: str, match: re.Match[str]) -> bool:
    """Always and never, where they don't tell what was or is: "has never been", "who never pay", "it never came"."""
    before, after = text[: match.start()], text[match.end() :]
    if _TOLD_BEFORE.search(before) or _is_aside(before, after):
        return False
    return not (_TOLD_AFTER.match(after) and before.strip() and not _PASSIVE.search(before))


def _do_not(text: str, match: re.Match[str]) -> bool:
    """As a command, or said of who works here; not "customers who do not pay"."""
    return _ASKED.search(text[: match.start()]) is not None


def _said_of_it(text: str, match: re.Match[str]) -> bool:
    """As what the sentence says, not what it describes something by."""
    before = text[: match.start()]
    return not (_DESCRIBED.search(before) or _is_aside(before, text[match.end() :]))


def _is_to(text: str, match: re.Match[str]) -> bool:
    return _said_of_it(text, match) and not _AIM.search(text[: match.start()])


def _asks_for(text: str, match: re.Match[str]) -> bool:
    """Requires and needs, of a case; not of people or machines, nor as it was."""
    before = text[: match.start()]
    return _said_of_it(text, match) and not (_OTHERS_NEED.search(before) or _PAST.search(before))


def _not_told(text: str, match: re.Match[str]) -> bool:
    """No and nobody, where that isn't what happened."""
    return not (_PAST.search(text, match.end()) or _NO_RULE.match(text, match.end()))


def _holds_until(text: str, match: re.Match[str]) -> bool:
    return not _PAST.search(text[: match.end()])


def _is_aside(before: str, after: str) -> bool:
    """Whether what stands between them is a condition or a reason, and not what the sentence is about."""
    clause = before[max(map(before.rfind, ",;:")) + 1 :]
    found = _SUBORDINATE.search(clause)
    return found is not None and (bool(clause[: found.start()].strip()) or "," in after)


def _form(duty: int, signs: str, pattern: str, stands: _Stands = _stands) -> _Form:
    return _Form(duty, frozenset(signs.split()), re.compile(pattern), stands)


_FORMS = (
    _form(ABSOLUTE, "must mustn", r"\bmust(?:n't)?\b(?!-)", _must),
    _form(ABSOLUTE, "never always", r"\bnever\b(?! mind\b)|(?<!not )(?<!almost )(?<!nearly )\balways\b", _ever),
    _form(ABSOLUTE, "don do", r"\b(?:do not|don't)\b(?! (?:have|need) to\b)", _do_not),
    _form(
        ABSOLUTE,
        "circumstances circumstance case condition event time account means exceptions exception excuses tolerance",
        r"\b(?:under|in) (?:no|any) (?:circumstances?|case|condition|event)\b|\b(?:at no time|on no account|by no"
        r" means)\b"
        r"|\bno (?:exceptions?|excuses)\b|\bwithout (?:any )?exceptions?\b|\bzero tolerance\b",
    ),
    _form(
        ABSOLUTE,
        "forbidden prohibited banned mandatory compulsory negotiable",
        rf"{_BE} (?:[a-z]+ly )?{_STRICTLY}\b"
        r"|(?:^|[:;\u2013\u2014] ?)(?:strictly |absolutely )?(?:forbidden|prohibited|banned)\b",
    ),
    _form(
        BINDING,
        "has have having need needs ought",
        r"\b(?:ha(?:s|ve|ving) (?:got )?to|needs? to|ought not to)\b(?! do with\b)",
        _said_of_it,
    ),
    _form(BINDING, "shall shan should shouldn ought", r"\bsha(?:ll|n't)\b|\b(?:should|ought)(?: not| never|n't)\b"),
    _form(BINDING, "may", rf"\bmay not\b(?! {_MAYBE})", _said_of_it),
    _form(
        BINDING,
        "cannot can",
        rf"\bcan(?: ?not|'t) (?:also |ever |simply )?be (?!reached|found|seen|read|loaded|opened)(?:[a-z]+ly"
        rf" )?{_DONE}\b",
        _said_of_it,
    ),
    _form(
        BINDING,
        "illegal unlawful barred disallowed unacceptable off out confidential obligatory imperative essential reserved"
        " restricted limited confined capped closed subject required obliged obligated bound expected",
        rf"{_BE}(?: not|n't)?{_HOW} {_BOUND}\b",
        _said_of_it,
    ),
    _form(
        BINDING,
        "not t",
        rf"(?:{_BE}(?: not|n't)|(?<!was )(?<!were )(?<!been )(?<!method )\bnot)(?: [a-z]+ly)? {_ALLOWED}\b",
        _said_of_it,
    ),
    _form(
        BINDING,
        "to",
        rf"\b(?:is|are)(?:n't)?{_HOW}(?: not| never| only)? to (?:not |never |only )?(?!the\b|an?\b|be (?:seen"
        rf"|found|had|expected)\b"
        r"|come\b|blame\b|date\b|do with\b|this\b|your\b|our\b|each\b|their\b|its\b|his\b|her\b|that\b|one\b)[a-z]+\b",
        _is_to,
    ),
    _form(
        BINDING,
        "not t",
        rf"\b(?:is|are|be|gets?)(?:n't| not) (?:[a-z]+ly )?{_DONE}\b.{{0,80}}\b(?:until|unless|without|before|to"
        rf" any(?:one|body)|outside)\b",
        _said_of_it,
    ),
    _form(
        BINDING,
        "require requires call calls demand demands need needs",
        rf"\b(?:requires?|calls? for|demands?|needs?) (?:(?:[\w'-]+ ){{0,5}}{_APPROVAL}\b|(?:an?|the|two|three"
        rf"|both|prior|written"
        r"|explicit|proof|at least|every|each|all|no|another|someone)\b)",
        _asks_for,
    ),
    _form(
        BINDING,
        "needed necessary",
        rf"\b{_APPROVAL} (?:is|are) (?:needed|necessary)\b|\b(?:is|are) (?:needed|necessary) before\b",
        _said_of_it,
    ),
    _form(
        BINDING,
        "without only prior pending subject",
        rf"\b(?:without|only (?:with|after|upon|on)|prior to|pending|subject to) (?:[\w'-]+ ){{0,4}}{_APPROVAL}\b",
    ),
    _form(
        BINDING,
        "only",
        r"(?:^|[,;:(] ?)only (?:[\w'-]+ ){1,8}?(?:may|can|should|is|are|will|gets?|has|have|handles?|opens?"
        r"|decides?|signs?|approves?)\b"
        r"|\bonly (?:ever )?(?:if|when|once|after|with|by|upon|against|where|as long as|through|via)\b"
        r"|\b(?:may|can|should|will) only (?:be |ever )?[a-z]+"
        rf"|\b(?:may|can|must|will|is|are)\b[^,;.]{{1,60}}\bonly {_PLACE}\b"
        rf"|\b(?:is|are) only (?:ever )?{_DONE}\b.{{0,12}}\b(?:against|if|when|by|to|after|with|once|upon)\b"
        rf"|\b{_DONE} only (?:by|to|if|when|with|in|after|from|on|at|for|as)\b"
        r"|\b(?:in person|in writing|by appointment|internal use|\w+ed \w+) only\b",
        _said_of_it,
    ),
    _form(BINDING, "solely exclusively", r"\b(?:solely|exclusively) (?:by|to|for|through|via|in|with|on|the|at)\b"),
    _form(
        BINDING,
        "no nothing nobody none neither",
        r"(?:^|[,;:] ?)(?:no\b|(?:nothing|nobody|no one|none of|neither of)\b(?=.{0,80}\b(?:may|can|is|are|will"
        r"|shall|must|should|gets?|\w+s)\b))",
        _not_told,
    ),
    _form(
        BINDING,
        "unless until without",
        r"(?:\b(?:not|never|nor)|n't)\b.{1,90}?\b(?=unless|until|without)|\b(?:stays?|remains?|kept|held|left"
        r"|waits?)\b.{1,60}?\b(?=until|unless)"
        r"|^not (?=until|before|unless)",
        _holds_until,
    ),
    _form(
        BINDING,
        "against for us but won nobody off out",
        r"\bagainst (?:the |our |company |house )?(?:rules?|policy|law)\b|\bnot for (?:us|you|the (?:agent"
        r"|assistant|bot)) to\b"
        r"|\b(?:nobody|no one|none|nothing) (?:but|except)\b"
        rf"|\bwon't be {_DONE}\b|(?:^|[.;:,] )(?:keep|leave) [^,.;]{{1,50}}\b(?:out of|off|alone)\b",
    ),
    _form(BINDING, "neither", r"^neither\b.{1,80}\b(?:may|is|are|can|should|must|will)\b"),
    _form(BINDING, "not", r"^not (?:an?|one|even) [a-z]+"),
    _form(
        BINDING,
        "cannot can",
        r"^(?:[a-z-]+ ){0,2}?[a-z-]+s (?:cannot|can not|can't) (?!be\b|see\b|find\b|reach\b|load\b|open\b|read\b"
        r"|know\b)",
        _asks_for,
    ),
    _form(
        BINDING,
        "than exceed",
        r"\bno(?:t more| more| later| longer| fewer| less| earlier| sooner) than\b|\bnot exceed\b",
    ),
    _form(
        BINDING,
        "refrain avoid refuse decline abstain beware stay careful care insist",
        r"(?:^|[.!?:;,] |\b(?:please|and|but|or|then) )(?:refrain|avoid|refuse (?:to|any|all|every)|decline (?:to"
        r"|any|all|every)"
        r"|abstain|beware|stay away|be careful (?:not )?to|take care (?:not )?to|insist on)\b",
    ),
    _form(
        BINDING,
        "is says forbids prohibits requires demands forbid prohibit disallow disallows mandates rules precedence"
        " prevail prevails outranks place business duty obligation offence offense",
        r"\b(?:policy|rules?|law|regulations?|contract|agreement|handbook|code) (?:is (?:that|to|not|no)|says"
        r"|forbids?|prohibits?"
        r"|requires?|demands?)\b|\b(?:forbids?|prohibits?|disallows?|mandates|rules out)\b"
        r"|\b(?:takes? precedence|prevails?|outranks)\b|\bno (?:place|business) (?:in|being|with)\b"
        r"|\b(?:duty|obligation) to\b|\bcriminal offen[cs]e\b",
    ),
    _form(
        BINDING,
        "stay stays remain remains confidential failure",
        r"\bstays? (?:inside|within|in-house|internal|between|confidential|secret|private)\b|\bremains? (?:inside"
        r"|within|confidential)\b|\bas (?:strictly )?confidential\b|^failure to\b",
    ),
    _form(
        BINDING,
        "may shall not t cannot never always",
        rf"(?:{_OF_ROLES}|\b{_ANSWERS} )(?:may(?! not {_MAYBE})|shall|(?:do|does|will|are|is|can)(?:n't| not)"
        rf"|can(?:not|'t)|won't"
        r"|will (?:never|always))\b(?! (?:have|need) to\b)",
        _said_of_it,
    ),
    _form(
        BINDING,
        "keep limit begin start end restrict",
        rf"^(?:keep|limit|begin|start|end|restrict) (?:(?:your|all|every|each|any|the) )?{_ANSWERS}\b",
    ),
    _form(
        BINDING,
        "important critical mandatory required caution warning",
        r"\b(?:important|critical|mandatory|required|caution|warning)_*:|\((?:mandatory|required)\)",
    ),
    _form(
        ADVISORY,
        "should ought ensure sure prefer preferably recommended advised better supposed most least immediately"
        " once straight"
        " right delay allowed permitted entitled instead rather",
        r"\b(?:should|ought to|ensure|make sure|be sure|prefer|preferably|recommended|advised|better to|had better"
        r"|supposed to"
        r"|at most|at least|immediately|at once|straight away|right away|without delay|allowed to|permitted to"
        r"|entitled to"
        r"|instead of|rather than)\b",
    ),
)
_SIGNS = frozenset().union(*(form.signs for form in _FORMS))
