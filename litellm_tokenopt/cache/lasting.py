"""What a user says once and means for the rest of a conversation: instructions, roles, meanings, facts of their own.

A question that stands alone asks the same after any talk, but not after "answer like a pirate" or "I only use Rust".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .language import is_english

LEAST_FOREIGN_WORDS = 3
"""So many words show another language."""

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|\n+")
_ASKED = "do can did may am was must will have does could would should shall".split()
_STATED = "".join(f"(?<!{word} )" for word in _ASKED) + r"\b(?:i|we)"
_ROLES = (
    r"(?:you are|you're|you will be|you'll be) (?:now |my |(?:a|an) (?!lifesaver|star|legend|gem|hero|angel|genius|"
    r"treasure|diamond|champ|godsend|great|good|real|absolute|total|true))"
    r"|\b(?:pretend|(?<!can )(?<!could )(?<!can't )imagine|suppose|assume|role-?play|(?:act|behave) (?:as|like)|"
    r"stay in character)\b"
)
_FOR_GOOD = (
    r"from now on|going forward|henceforth|in (?:this|our) (?:game|story|chat|conversation|scenario|exercise|world)"
    r"|for (?:the (?:rest|remainder) of|this (?:chat|conversation|session)|all (?:your|my|future|further) )"
    r"|until (?:i|we) (?:say|tell|stop)|unless i (?:say|ask|tell)|every time i|whenever i|when i say"
    r"|(?:remember|keep in mind|bear in mind|note) (?:that|this)"
)
_NAMED = (
    r"call me (?!to|at|on|back|when|if|later|tomorrow|today|please|about|in|for|and|or|so)\w|(?:address|refer to) me"
    r"|my (?:name|pronouns?|nickname)(?:'s| is| are)"
)
_HABITS = (
    r"only|mostly|mainly|(?:always|never|usually) (?:use|want|need|prefer|eat|drink|work|code|write|buy|drive|fly|pay)"
    r"|(?:(?:also|still|now|just|currently|really) )?(?:speak|prefer|hate|avoid|follow|believe)\b"
    r"(?! for| out| like| it\b)"
)
_LIVES = (
    r"(?:(?:also|still|now|just|currently|really) )?"
    r"(?:live|work|code|program|develop|study|teach|use|play|drive|cook)\b(?! for| out| like| it\b)"
)
_LANGUAGES = (
    "english|german|french|spanish|italian|portuguese|dutch|polish|russian|ukrainian|turkish|arabic|hebrew|hindi|urdu|"
    "chinese|mandarin|cantonese|japanese|korean|vietnamese|thai|swedish|norwegian|danish|finnish|greek|czech|slovak|"
    "hungarian|romanian|bulgarian|croatian|serbian|welsh|irish|catalan|latin"
)
_LANGUAGE = (
    rf"(?:use|in|into|to|speak\w*|prefer|switch(?:ing)? to|better|rather|my) (?:{_LANGUAGES})\b"
    rf"|^(?:{_LANGUAGES})(?: please| only|,| is (?:better|easier|fine|best))|(?:{_LANGUAGES})(?:,? please| only)$"
)
_SELF_TOLD = (
    r"^as an? (?!(?:result|rule|reminder|test|side|matter|start|last|first|example|courtesy|consequence)\b)"
    r"[\w-]+(?: [\w-]+){0,2},? (?:i|we)\b"
    r"|\b(?:i'm|i am|we're|we are) (?:(?:completely|totally|quite|very|rather) )?"
    r"(?:new to|expecting (?:a baby|twins|triplets)|not (?:a|an|very|good|technical)|retired|deaf|blind)\b"
)
_BEING = (
    r"(?:a|an|the) (?!bit|little|few|lot)\w+|from|based|living|working (?:at|as|in|with|on)|studying|learning|vegan|"
    r"vegetarian|allergic|diabetic|pregnant|colou?r-?blind|left-handed|dyslexic|(?:\d+|\w+teen|\w+ty) years"
)
_SOFT = (
    r"(?:please |kindly |could you |can you |would you )*"
    r"(?:stick to|explain (?:things|everything|it all) (?:as|like|so)|bear in mind|"
    r"assume (?:that )?i|treat me|talk to me)\b"
)
_ANYWHERE = re.compile(
    rf"\b(?:{_ROLES}|{_FOR_GOOD}|{_NAMED})|{_STATED} (?:{_HABITS})\b|\bi(?:'m| am) (?:{_BEING})\b|{_SELF_TOLD}"
    rf"|\b(?:{_LANGUAGE})|\bi(?:'d| would) rather (?:have|get|see|read|hear|you)\b|^(?:{_SOFT})",
    re.IGNORECASE,
)
_POLITE = (
    r"(?:(?:ok(?:ay)?|so|now|and|but|also|hi|hello|well|first|then|please|pls|kindly|can you|could you|would you|"
    r"i want you to|i'd like you to|you (?:must|should|may|can))\b[\s,!.]*)*"
)
_SAY = "answer|reply|respond|speak|talk|write|say|explain|format|translate"
_WAYS = (
    r"jargon|emojis?|bullets?(?: points)?|lists|tables|headings|markdown|json|yaml|html|latex|code|sources|citations|"
    r"references|links|quotes|abbreviations|examples|long answers|short answers|fluff|swearing|maths?|explanations?"
)
_ORDERS = re.compile(
    rf"^{_POLITE}(?:"
    r"(?:always|never) (?!mind\b|an?\b|the\b)[a-z]+|(?:cite|source|number|quote) (?:your|all|every|the)\b"
    rf"|(?:(?:no|without|less|fewer|more|lots of|use(?: (?:lots of|many|some|more|fewer|no))?) )?(?:{_WAYS})"
    r"(?=$|,| please\b| only\b| (?:works?|is|are) )"
    r"|use (?:lots|many|plenty|as many|as few|no|fewer|more|less)\b|"
    rf"only (?:{_SAY}|use|give|mention|include|add|address|call|ask|show|tell|suggest|recommend|be)\b"
    rf"|(?:do not|don't|avoid|stop) (?:{_SAY}|use|give|mention|include|add|apologi[sz]e|ask|\w+ing)\b"
    r"|(?:keep|make) (?:it|your|the|all|every|answers|replies)\b|be (?:brief|concise|short|formal|informal|honest|"
    r"funny|rude|kind|polite|sarcastic|strict|my|a|an)\b"
    r"|use (?:only|simple|plain|short|metric|imperial|british|american|formal|informal)\b"
    rf"|(?:{_SAY}|think|stick)\b[^?]*\b(?:like|as if|in|as|to|with|without|only|briefly|short))\b",
    re.IGNORECASE,
)
_OWN = (
    "budget|age|job|role|team|company|boss|son|daughter|child|children|kids?|baby|wife|husband|partner|mother|father|"
    "mum|mom|dad|family|dog|cat|language|favou?rite|diet|allergy|level|goal|stack|setup|computer|laptop|phone|car|"
    "country|city|time ?zone|weight|height|birthday|religion|hobby|school|university|major|database|app|project"
)
_DEFINES = re.compile(
    r"(?<!\bi )(?<!that )(?<!which )(?<!this )(?<!it )(?<!you )\b(?:means?|stands? for|refers? to|denotes?)\b"
    r"|\b(?:let (?:\w+|'s say) (?:be|mean|equal|stand)|let's (?:play|say|pretend|call)|define|we call)\b"
    r"|\b(?:i|we) (?:love|like|want|need) (?:emojis?|bullets|tables|lists|examples)\b"
    r"|\b(?:works?|is|are) best for me\b"
    r"|\bthe (?:rules?|scenario|setting|context|password|codeword|goal)(?: of the game)? (?:is|are)\b",
    re.IGNORECASE,
)
_LIVING = re.compile(rf"{_STATED} (?:{_LIVES})", re.IGNORECASE)
_OWNING = re.compile(
    rf"\bmy (?:[\w'-]+ )?(?:{_OWN}) (?:[\w'-]+ )?(?:is|are|has|have|isn't|aren't|hates|loves|likes|can't|uses)\b"
    r"(?! (?:\w+ly |just )?\w+(?:ing|ed)\b)"
    r"|\bmy [\w'-]+ (?:is|are) (?:an?|\d)\b"
    r"|\bmy (?:grand\w+|sister|brother|aunt|uncle|niece|nephew|friend|patient|client) "
    r"(?:turned|turns|has(?! been| always| never| just)|suffers)\b",
    re.IGNORECASE,
)


def lasting(texts: Iterable[str]) -> tuple[str, ...]:
    """The sentences of a user's *texts* that change how all later questions are to be answered, in lower case.

    By rules that rather take one too many: then only conversations with the same one share answers. One in another
    language asks for that language.
    """
    return tuple(sentence.casefold() for text in texts for sentence in _sentences(text) if _instructs(sentence))


def lasts(sentence: str) -> bool:
    """Whether *sentence* is meant for what comes after it too."""
    return _instructs(sentence) or is_circumstance(sentence)


def is_circumstance(sentence: str) -> bool:
    """Whether *sentence* surely tells how the user lives, works or is equipped."""
    owning = not sentence.endswith("?") and _OWNING.search(sentence)
    return bool(owning or _LIVING.search(sentence))


def _instructs(sentence: str) -> bool:
    if _ANYWHERE.search(sentence):
        return True
    if not sentence.endswith("?") and (_ORDERS.match(sentence) or _DEFINES.search(sentence)):
        return True
    return len(sentence.split()) >= LEAST_FOREIGN_WORDS and not is_english(sentence)


def _sentences(text: str) -> Iterator[str]:
    for part in _SENTENCE.split(text):
        if sentence := " ".join(part.split()).rstrip(" .!;"):
            yield sentence.replace("\u2019", "'")
