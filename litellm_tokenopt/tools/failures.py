"""Whether a tool's result tells of an error: by its beginning, its fields or first sentence, or as validators say it.

That it is *about* errors (a log, a search, an error rate) tells nothing: what a tool says itself is short, and its
first sentence says what went wrong; what is quoted in it is somebody else's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..request import Message, text_of

RESULT_CHARS = 500
"""So much of a result's beginning tells whether it is an error."""

_FAILED = re.compile(
    r"^[^\w{\"]*(?:\w+ ){1,3}(?:error|failed|failure):"
    r"|^[^\w{\"]*(?:error|exception|traceback|failed|failure|fatal(?= error|:))\b"
    r"(?!:? 0\b| \w+: ?\d| (?:handling|rates?|reporting|reports?|logs?|logging|tracking|budgets?|messages?|types?"
    r"|classes|bugs?|(?:\w+ )?(?:of|in))\b)"
    r"|^\s*<\w+_error>"
    r"|\"(?:is_?error|isError)\"\s*:\s*true"
    r"|^\s*\{\s*\"errors?\"\s*:(?!\s*(?:null|false|\"\"|\[\s*\]|\{\s*\}))"
    r"|\b(?:validation errors?|invalid (?:arguments?|parameters?|params|input|request)|is a required property"
    r"|missing (?:\d+ )?(?:required )?(?:positional )?(?:arguments?|parameters?|fields?|property|properties)"
    r"|unexpected (?:keyword )?(?:arguments?|parameters?|fields?|property)|fields? required|input should be"
    r"|(?:inputs|properties) are not (?:allowed|permitted)|is not (?:of type|one of|valid under)"
    r"|(?:unable to|could not|cannot) (?:parse|decode|validate|read) (?:\w+ )?(?:arguments?|parameters?|input|json)"
    r"|exit(?:ed)? (?:with )?(?:code|status):? [1-9]\d*)\b|-32602\b"
    r"|^\W*(?:http(?:/[\d.]+)?|status(?: code)?):? ?[45]\d\d\b"
    r"|^\W*[45]\d\d:? (?:bad request|unauthorized|forbidden|not found|method not allowed|conflict|gone|unprocessable"
    r"|too many requests|internal server error|bad gateway|service unavailable|gateway time-?out)\b",
    re.IGNORECASE,
)
_RAISED = re.compile(
    r"^\W*(?:\w+\.)*[A-Z]\w*(?:Error|Exception)\b\s*[:(\n]|^(?:\w+\.)*(?:errors?|exceptions?)(?:\.\w+)+:"
    r"|^\W*E(?:NOENT|ACCES|PERM|EXIST|ISDIR|NOTDIR|CONN[A-Z]+|TIMEDOUT|PIPE|INVAL|NOTFOUND)\b"
    r"|^[\w.-]+: (?:ERROR|FATAL|error|fatal):"
)
_WHO = r"^\W*(?:sorry\b,? (?:but )?)?(?:(?!says?\b|that\b|who\b|which\b)[\w./#()'\u2026-]+:? ){0,%d}?"
_IS = r"(?:(?:is|are|was|were|has been) )?"
_SAYS = re.compile(
    rf"{_WHO % 3}(?:{_IS}(?:unable|not able) to|could ?(?:not|n['\u2019]t)|can ?not|can['\u2019]t|failed to) [a-z]"
    rf"|{_WHO % 6}(?:(?:(?:has|was|is) )?timed out|{_IS}(?:denied|forbidden|reverted|declined|aborted)"
    r"|(?<!is )(?<!was )(?<!been )(?<!were )(?:refused|rejected)|reset by peer|something went wrong"
    rf"|{_IS}not (?:permitted|allowed|authori[sz]ed|supported|implemented|available|found|recogni[sz]ed|provided)"
    r"|(?:is|are|was) (?:(?:not (?:an? )?)valid|invalid|malformed|required|already \w+)|has (?:expired|failed)"
    r"|(?<!\d )failed|(?:temporarily|currently) unavailable"
    r"|(?:does|do)(?: not|n['\u2019]t) (?:exist|have (?:permission|access))"
    r"|exceeded|command not found|returned an? (?:\w+ )?error"
    r"|(?:lacks|insufficient) (?:\w+ )?(?:permissions?|rights|scopes?|privileges|funds))"
    r"(?=\W*$|[.,;:!(]| \(| (?:by|for|to|at|after|while|in|on|because|from|with|date|number|value)\b(?! stock\b))"
    r"|^\W*(?:no such|no (?:\w+ )?(?:handler|route|method|permission|access) (?:for|to)|unknown|unrecogni[sz]ed"
    r"|unsupported|illegal|malformed|invalid|missing|unauthori[sz]ed|forbidden)\b[^.,]{0,40}(?::|[.!]?$)"
    r"|^\W*(?:time-?out|conflict|too many requests|internal (?:server )?error|unprocessable \w+|segmentation fault"
    r"|bad (?:request|gateway|credentials|parameters?|arguments?|input|value)|service unavailable)(?=\W*$|[.:(]| \()"
    r"|^no (?:[\w-]+ ){1,6}exists?\b|^nothing was \w+ed\b|^(?:argument|parameter|value|field)\b.*\bmust\b"
    r"|^(?:\u2026|\w+) must (?:match|be (?:between|one of|before|after|an? (?:valid|number|string|integer|boolean|list"
    r"|array|object|date|positive)))\b|\b(?:is not|isn['\u2019]t) in (?:the )?(?:\w+ )?format\b"
    r"|^expected (?:an? )?(?:string|int(?:eger)?|number|float|boolean|array|list|object|date|type)\b"
    r"|^no (?:such )?(?:parameter|argument|field|property|tool|function) (?:named|called)\b"
    r"|\b(?:responded|returned|replied) with (?:an? )?(?:http |status |code ){1,3}[45]\d\d\b"
    r"|^(?:\w+: )?error (?:response )?from [\w ()]+:|^npm err!|\*\*\* .*\berror \d"
    r"|^panic: |^uncaught |^[\u274c\u2717\u2718\u26d4]",
    re.IGNORECASE,
)
"""A first sentence that says what went wrong: "Permission denied", "User not found.", "Unknown argument: …"."""

_QUOTED = re.compile(r"\"[^\"\n]*\"|`[^`\n]*`|(?<!\w)'[^'\n]*'(?!\w)|\u201c[^\u201d\n]*\u201d")
_FIRST = re.compile(r"(?s)^(.*?)(?:(?<=[.!?])\s|\n|$)")

_FAILURES = frozenset({"error", "fail", "failed", "failure", "fatal"})
_DONE, _STATUS, _CODES = (
    ("success", "ok", "successful"),
    ("status", "type", "level", "state", "outcome", "result"),
    ("status", "statusCode", "status_code"),
)
_EXITS = ("exit_code", "exitCode", "returncode", "return_code")
_ERROR_KEY = re.compile(r"^(?:err|error|fault|exception)(?:s|$|[_A-Z]|m(?:sg|essage))", re.IGNORECASE)
_TEXTS = ("message", "detail", "reason", "title", "msg", "text")
_BESIDE = frozenset(
    {*_TEXTS, "code", "documentation_url", "docs", "help", "instance", "path", "request_id", "requestId", "status"}
    | {"timestamp", "trace_id", "traceId", "type", "__type", "name", "hint"}
)
"""What stands in an error beside its text; other fields tell of a result."""

_RPC_CODES = frozenset(
    "INVALID_ARGUMENT NOT_FOUND PERMISSION_DENIED UNAVAILABLE DEADLINE_EXCEEDED RESOURCE_EXHAUSTED UNAUTHENTICATED"
    " FAILED_PRECONDITION INTERNAL ABORTED ALREADY_EXISTS OUT_OF_RANGE UNIMPLEMENTED DATA_LOSS CANCELLED".split()
)


def has_failed(result: Message | None) -> bool:
    """Whether a tool's result tells of an error."""
    if result is None:
        return False
    text = text_of(result.get("content"))
    if result.get("is_error") is True:
        return True
    if len(text) > RESULT_CHARS:
        return _begins_failed(text[:RESULT_CHARS])
    return _begins_failed(text) or _says_failure(text) or _is_failure(_read(text))


def _begins_failed(opening: str) -> bool:
    if opening.lstrip()[:1] in ("{", "["):
        return bool(_FAILED.search(opening))
    return bool(_FAILED.search(_unquoted(opening)) or _RAISED.search(opening))


def _says_failure(text: str) -> bool:
    """Whether a short result's first sentence says so."""
    first = _FIRST.match(_unquoted(text).strip())
    return first is not None and _SAYS.search(first.group(1)) is not None


def _unquoted(text: str) -> str:
    return _QUOTED.sub("\u2026", text)


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_failure(value: Any) -> bool:
    """Whether the members of a result say that the call failed."""
    if not isinstance(value, Mapping):
        return False
    states = (str(value.get(key)).casefold() for key in _STATUS)
    codes, code = [value.get(key) for key in _CODES], value.get("code")
    told = [inner for key, inner in value.items() if _ERROR_KEY.match(str(key))]
    others = [key for key, inner in value.items() if inner and not _ERROR_KEY.match(str(key))]
    is_alone = not set(others) - _BESIDE
    return (
        any(value.get(key) is False or value.get(key) == "false" for key in _DONE)
        or not _FAILURES.isdisjoint(states)
        or any(map(_is_http_error, [*codes, code] if is_alone else codes))
        or any(isinstance(value.get(key), int) and value[key] != 0 for key in _EXITS)
        or (any(told) and is_alone)
        or (value.keys() <= _BESIDE and _is_error_alone(value, [*codes, code]))
    )


def _is_http_error(code: Any) -> bool:
    return isinstance(code, int) and 400 <= code < 600


def _is_error_alone(value: Mapping[str, Any], codes: list[Any]) -> bool:
    """Whether an object that has an error's fields and no others is one."""
    texts = (inner for key in _TEXTS if isinstance(inner := value.get(key), str))
    coded = any(isinstance(code, str) and code.upper() in _RPC_CODES for code in codes)
    kind = str(value.get("__type") or value.get("type") or "")
    named = kind.endswith(("Exception", "Error"))
    return named or coded or any(_begins_failed(text) or _says_failure(text) for text in texts)
