"""Which questions have an answer that may be given again, told by their words.

A question is stable; or time-bound (its answer changes by itself), personal (it asks about the caller's own affairs
or this very conversation), creative or random (whoever asks again wants another answer). Rules name the kind where it
is certain; `hints` are numbers about the words, for a trained classifier to weigh beside the question's vector.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["stable", "time_bound", "personal", "creative", "random"]
KINDS: tuple[Kind, ...] = get_args(Kind)

ENDS_CHARS = 200
"""Of a longer text only so much at either end is read: what is asked stands there, what it's asked of between."""

FEW_WORDS = 6
"""A question of so few words needs no question word: "bitcoin price now"."""

_QUOTED = re.compile(r"```.*?```|`[^`]*`|\"[^\"]*\"|\u201c[^\u201d]*\u201d|(?<!\w)'[^'\n]*?'(?!\w)", re.DOTALL)

_COURTESY = (
    r"^(?:(?:please|hi|hello|hey|ok|so|and|now|then|can you|could you|would you|will you|i'd like you to|"
    r"i want you to|"
    r"i need you to|kindly|just|quickly)[,!.]?\s+)*"
    r"(?:(?:in|on|with|using|for) [\w.+#-]{1,12}(?: [\w.+#-]{1,12})?,\s+)?"
)
_FRAMED = re.compile(
    rf"{_COURTESY}(?:(?:tell me|show me|i(?:'d| would) like to know|i want to know|do you know|explain)\s+)?"
    r"(?:how (?:do|can|could|would|should|to|does|did|often|late|early)\b|"
    r"how (?:is|are) [^?]*\b(?:determined|calculated|set|made|decided|measured|formed|produced|chosen|"
    r"computed)\b|what (?:do|does) [^?]*\bmean\b|explain\b|"
    r"define\b|translate\b|correct\b|proofread\b|rewrite\b|rephrase\b|shorten\b|summari[sz]e\b(?! (?:our|this|what))|"
    r"convert\b|compare\b|difference between\b|the steps\b|"
    r"what(?:'s| is| are) (?:meant|a\b|an\b|the (?:difference|meaning|definition|formula|best way|purpose|procedure|"
    r"process|policy|chance|probability|odds|rules?|steps?|history)\b)|"
    r"(?:write|create|implement|give me) (?:me )?(?:an? |some |the )?(?:[\w-]+ ){0,3}(?:function|script|program|code|"
    r"query|regex|regular expression|class|method|one-liner|test|tests|email|e-mail|letter|formula|macro|module)\b)",
    re.IGNORECASE,
)
_TOLD = re.compile(
    rf"{_COURTESY}(?:i|i'm|i've|my|your|we|our|someone|somebody|set|move|cancel|book|change|skip|send|forward|"
    r"decline|remind|wake|schedule)\b"
    r"|\b(?:i|we) (?:\w+ )?(?:did|made|paid|sent|got|had|was|were|am|ordered|bought|tried|moved|went|withdrew)\b",
    re.IGNORECASE,
)
"""Begins with a statement or an errand: the time in it is when something happened or is to happen."""

_ASKS = re.compile(
    rf"{_COURTESY}(?:what|what's|who|who's|whom|which|when|when's|where|where's|how|how's|is|are|was|were|do|does|did|has|"
    r"have|will|any|tell me|show me|give me|list|name|find)\b",
    re.IGNORECASE,
)
_DATED = re.compile(
    r"\b(?:january|february|march|april|june|july|august|september|october|november|december|"
    r"in (?:spring|summer|autumn|fall|winter|may)|1\d\d\d|20[01]\d|century|usually|typically|generally|on average|"
    r"history|historical|ever|used to)\b",
    re.IGNORECASE,
)
_UNITS = (
    "second|minute|hour|morning|afternoon|evening|night|day|week|weekend|month|quarter|season|year|"
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)
_TIME = re.compile(
    rf"\b(?:today|tonight|tomorrow|yesterday|nowadays|currently|presently|(?<!what )now(?! that\b)|"
    rf"latest(?! (?:time|date|possible|i |you |that|a |an )\b)|newest|most recent|up[- ]to[- ]date|breaking news|"
    rf"at the moment|at present|at this (?:moment|time|point)|so far|as of|just happened|these days|"
    rf"(?:this|last|next|past|coming) (?:{_UNITS})|"
    r"current(?= (?!accounts?|liabilit|assets?|ratio|transformer|density|flow|divider|loop|yield|in|of|through|"
    r"is)\w)|"
    r"what(?: is|'s) the (?:time|date)(?= now| today| in\b|\W*$)|what (?:time|day|date|year|"
    r"month) (?:of the week )?is it(?! in [\w ]+ (?:when|if)\b)|"
    r"weather|forecast for|headlines|latest news|any news|in the news|exchange rates?|"
    r"(?:stock|share|gold|oil|silver|bitcoin|crypto|petrol|gas) prices?|price of (?:bitcoin|gold|silver|oil)|"
    r"live (?:score|price|result|traffic)s?|(?:second|minute|hour|day|week|month|year)s? ago)(?!\w)",
    re.IGNORECASE,
)
_FORMS = (
    "poem|poems|haikus?|limericks?|sonnets?|ballad|verses?|rhymes?|lullaby|lyrics|song|rap|joke|jokes|puns?|riddles?|"
    "story|tale|fable|fairy tale|anecdote|slogans?|taglines?|toast|one-liner|villanelle|ode"
)
_CREATIVE = re.compile(
    rf"{_COURTESY}(?:(?:write|compose|make up|make|invent|improvise|tell|give|sing|create|pen|draft|generate|"
    rf"come up with|"
    rf"think up|got)\s+(?:me |us |my \w+ )?(?:an?|another|some|any|one|two|three|five|ten|the lyrics of)\s+"
    rf"(?:[\w-]+ ){{0,3}}(?:{_FORMS})\b|brainstorm\b|surprise me\b|make me laugh\b|roast me\b|"
    rf"(?:{_FORMS}) (?:about|on)\b)",
    re.IGNORECASE,
)
_RANDOM = re.compile(
    rf"{_COURTESY}(?:(?:roll|throw|toss|flip|spin)\s+(?:me |us )?(?:an? |two |three |the |some |\d*)?(?:[\w-]+ )?"
    r"(?:dice|die|d\d+|coin|coins|wheel|bottle)\b|(?:roll|dice roll) \d*d\d+|shuffle\b|heads or tails\b|"
    r"(?:pick|choose|draw|select|give me|generate|name|tell me|i need|create|produce)\b[^.?!]*"
    r"\b(?:at random|random(?:ly)? (?!forest|walk|variable|effect|sampl|access|seed used)|random$)|"
    r"(?:randomly|randomi[sz]e)\b|"
    r"(?:generate|create|give me|make|make me|produce|i need|new)\s+(?:an? |the |another )?(?:new |random |"
    r"fresh |version 4 |v4 )*"
    r"(?:uuid|guid|nonce)\b|random (?:number|word|password|pin|name|color|country|card|letter)s?\b)",
    re.IGNORECASE,
)
_THINGS = (
    "order|parcel|package|delivery|refund|shipment|luggage|application|claim|booking|reservation|appointment|repair|"
    "ticket|return|payment|card|stuff|money"
)
_PERSONAL = re.compile(
    rf"\bwhere(?:'s| is| are) my (?:{_THINGS})s?(?=\W*$| now\b| right now\b|,)"
    rf"|\bstatus of (?:my|our)\b|\bwhen (?:will|does|is) my (?:{_THINGS}) (?:arrive|come|due|get here|be delivered)"
    rf"|\bha(?:s|ve) my (?:{_THINGS})s? (?:shipped|arrived|been|gone|come)\b"
    r"|\bwhat (?:did|have) (?:i|we) (?:just |already |first )?(?:sa(?:y|id)|tell|told|ask|asked|talk|talked|"
    r"discuss|discussed|agreed?)\b"
    r"|\bwhat did you (?:just )?(?:say|tell|suggest|recommend)\b"
    r"|\bwhat was my (?:first|last|previous) (?:question|message)\b"
    r"|\b(?:do you|can you) (?:still )?(?:remember|know) (?:me|my name|what i)\b"
    r"|\bwhat(?:'s| is) my (?:current )?(?:(?:account |remaining |bank )?balance|name|order (?:number|status)|"
    r"credit limit|"
    r"tracking number|seat|plan|booking reference|next (?:appointment|payment|bill))(?=\W*$| now\b| today\b)"
    r"|\b(?:check|show|show me|list|read|read me) my (?:(?:account |last |latest |recent |unread |open |next |own )*"
    r"(?:balance|orders?|messages|emails?|transactions|appointments?|bookings?|invoices?|tickets?|statement|"
    r"calendar))\b"
    r"|\bsummari[sz]e (?:our|this) (?:conversation|chat|discussion)\b"
    r"|\bhow (?:much|many) [^?]*\b(?:do i (?:still )?(?:have|owe)|have i (?:got|left)|(?:is|are) left (?:on|"
    r"in) my)\b",
    re.IGNORECASE,
)
_SURE: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("random", _RANDOM),
    ("creative", _CREATIVE),
    ("personal", _PERSONAL),
)

_HINTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?:my|mine|our|ours)\b",
        r"\b(?:i|me|we|us)\b",
        r"\b(?:did|have|has|what|do) (?:i|we|you) (?:\w+ )?(?:say|said|tell|told|ask|asked|mention|talk|agree|"
        r"remember)\w*\b",
        r"\b(?:yet|still|left|open|available|in stock|pending|due|overdue|delayed|down|out)\b",
        r"\b(?:won|wins?|winning|score|leading|playing|trending|happening|released)\b",
        r"\b(?:price|rate|worth|cost|trading|stock|shares?)\b",
        rf"\b(?:{_FORMS}|ideas?|names?|titles?|caption|plot|character|nickname|speech|motto|name for)\b",
        rf"{_COURTESY}(?:write|compose|invent|imagine|pretend|brainstorm|suggest|come up|make up|think|dream|"
        rf"describe|draft)\b",
        r"\b(?:funny|creative|catchy|clever|witty|silly|cool|fun)\b",
        r"\b(?:random|randomly|randomi[sz]e|chance|dice|die|coin|shuffle|lottery|lots|uuid|guid|password|pin|"
        r"number)\b",
        rf"{_COURTESY}(?:pick|choose|draw|roll|flip|toss|generate|give|shuffle|deal|spin)\b",
        r"^(?:what|who|whom|which|when|where|why|how|is|are|do|does|can|should|will|did|has|have)\b",
        r"\b(?:python|java|javascript|sql|regex|code|function|class|variable|git|excel|api|linux|bash|docker)\b",
        r"\b(?:status|balance|account|order|appointment|calendar|inbox|history)\b",
    )
)


def sure_kind(question: str) -> Kind | None:
    """The kind of *question* where its words leave no doubt; never stable."""
    text = asked_part(question)
    if _FRAMED.match(text):
        return None
    for kind, pattern in _SURE:
        if pattern.search(text):
            return kind
    return "time_bound" if time_bound(question) else None


def time_bound(question: str) -> bool:
    """Whether words say that the right answer to *question* depends on when it's asked."""
    text = asked_part(question)
    if len(text.split()) > FEW_WORDS and not _ASKS.match(text):
        return False
    timeless = _FRAMED.match(text) or _TOLD.search(text) or _DATED.search(text)
    return _TIME.search(text) is not None and not timeless


def hints(question: str) -> list[float]:
    """What the words of *question* say about its kind, as numbers of about the same size."""
    text = asked_part(question)
    return [
        float(_FRAMED.match(text) is not None),
        float(_TOLD.search(text) is not None),
        float(_DATED.search(text) is not None),
        float(_TIME.search(text) is not None),
        float(text != question.strip()),
        min(len(text.split()), 20) / 10,
        *(float(pattern.search(text) is not None) for pattern in _HINTS),
    ]


def asked_part(question: str) -> str:
    """*question* without what it quotes, and of a long one its two ends."""
    text = _QUOTED.sub("…", question).strip()
    return text if len(text) <= 2 * ENDS_CHARS else f"{text[:ENDS_CHARS]} … {text[-ENDS_CHARS:]}"
