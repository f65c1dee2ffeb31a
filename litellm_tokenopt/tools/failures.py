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

_NONE = r"(?:0|none|nil|n/a|\(?empty\)?)(?:\W*$|[,;\n])"
_ABOUT = r"handling|reporting|logging|tracking|monitoring"
_BEGINS = re.compile(
    r"^[^\w{\"]*(?:\w+ ){1,3}(?:error|failed|failure):(?! ?" + _NONE + r")"
    r"|^[^\w{\"]*(?:error|exception|traceback|failed|failure|fatal(?= error|:))\b"
    rf"(?=\W*$|\s*[:.!\u2013\[-](?! ?{_NONE})|(?: error)?[:(]|\s\((?:most|\w*\d)"
    r"|\s(?:to|while|when|during|occurred|because|due|from|with|after|at|in (?:line|thread)|on line|error)\b"
    rf"|\s(?!{_ABOUT})\w+ing\b|\s(?:code:? )?\d+(?:\s*\([^)]*\))?(?:\W*$|[:,]))(?!: ?\d+(?:\W*$|, ))(?!: ?{_NONE})"
    r"|^[^\w{\"]*errors (?:occurred|while)\b|^[^\w{\"]*errors?: ?\[?\u2026"
    r"|^(?:an?|the|some) (?:\w+ )?(?:error|exception|problem) (?:has )?occurred\b"
    r"|^there was an? (?:\w+ )?(?:error|problem)\b"
    r"|^\s*<\w*_?error>",
    re.IGNORECASE,
)
"""How a text begins that says that a call failed, quotations aside."""

_MEMBERS = re.compile(
    r"\"(?:is_?error|isError)\"\s*:\s*true"
    r"|^\s*\{\s*\"errors?\"\s*:(?!\s*(?:null|false|0|\"\"|\[\s*\]|\{\s*\}))(?!(?<=s\":)\s*\d)",
    re.IGNORECASE,
)
_DONE_TO = r"(?! (?:is|are|was|were|will|can|messages?|handling|checks?|marks?|reports?)\b)"
_VALIDATES = re.compile(
    rf"(?<!\bno )(?<!\b0 )\bvalidation errors?\b{_DONE_TO}(?!: ?{_NONE})"
    rf"|\b(?:invalid (?:arguments?|parameters?|params|input|request)|missing (?:\d+ )?(?:required )?(?:positional )?"
    rf"(?:arguments?|parameters?|fields?|property|properties))\b{_DONE_TO}"
    r"|\bis a required property\b|\bfields? required(?=\W*$|[,;:.\"'\n])"
    r"|\bunexpected (?:keyword )?(?:arguments?|parameters?|fields?|property)\b"
    r"|\binput should be (?:an?|one|less|greater|at|in|valid|'|none|true|false|\u2026)"
    r"|\b(?:inputs|properties) are not (?:allowed|permitted)\b|\bis not (?:of type|one of|valid under)\b"
    r"|\b(?:unable to|could not|cannot) (?:parse|decode|validate|read) (?:\w+ )?(?:arguments?|parameters?|input|json)\b"
    r"|\bexit(?:ed)? (?:with )?(?:code|status):? [1-9]\d*\b(?! means)|-32602\b"
    r"|^\W*(?:http(?:/[\d.]+)?|status(?: code)?):? ?[45]\d\d(?=\W*$|[:.,;(\n]| (?:bad|un|forb|not|int|serv|gate|too))"
    r"|^\W*[45]\d\d:? (?:bad request|unauthorized|forbidden|not found|method not allowed|conflict|gone|unprocessable"
    r"(?: \w+)?|too many requests|internal server error|bad gateway|service unavailable|gateway time-?out)"
    r"(?=\W*$|[:.,;(\n]| (?:for|at|on|when)\b)",
    re.IGNORECASE,
)
"""What those who check a call's arguments say, and servers and shells, in their first lines."""

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
    r"(?=\W*$|[.,;!(]|:(?! ?\d+ )| \((?!\d{4}\))"
    r"| (?:by|for|to|at|after|while|in|on|because|from|with|date|number|value)\b(?! stock\b))"
    r"|^\W*(?:no such|no (?:\w+ )?(?:handler|route|method|permission|access) (?:for|to)|unknown|unrecogni[sz]ed"
    r"|unsupported|illegal|malformed|invalid|missing|unauthori[sz]ed|forbidden)\b"
    r"(?![^.,]*(?: (?:is|are|was|were)\b| (?!need|requ|exp|suppl|prov|spec|rec|pass)\w{3,}ed\W*$|: ?\d+\W*$))"
    r"[^.,]{0,40}(?::|[.!]?$)"
    r"|^\W*(?:time-?out(?!: ?\d)|conflict|too many requests|internal (?:server )?error|unprocessable \w+"
    r"|segmentation fault"
    r"|bad (?:request|gateway|credentials|parameters?|arguments?|input|value)|service unavailable)(?=\W*$|[.:(]| \()"
    r"|^no (?:[\w-]+ ){1,6}exists?\b|^nothing was \w+ed\b|^(?:argument|parameter|value|field)\b.*\bmust\b"
    r"|^(?:\u2026|\w+) must (?:match|be (?:between|one of|before|after|an? (?:valid|number|string|integer|boolean|list"
    r"|array|object|date|positive)))\b|\b(?:is not|isn['\u2019]t) in (?:the )?(?:\w+ )?format\b"
    r"|^expected (?:an? )?(?:string|int(?:eger)?|number|float|boolean|array|list|object|date|type)\b"
    r"|^no (?:such )?(?:parameter|argument|field|property|tool|function) (?:named|called)\b"
    r"|\b(?:responded|returned|replied) with (?:an? )?(?:http |status |code ){1,3}[45]\d\d\b"
    r"|^(?:\w+: )?error (?:response )?from [\w ()]+:|^npm err!|\*\*\* .*\berror \d"
    r"|^(?:rate|usage) limit (?:was |is )?(?:reached|hit)\b|^(?:connection|network) (?:error\b|is unreachable)"
    r"|^(?:oops\W+|sorry\W+)?something went wrong\b|^your (?:request|call) was (?:rejected|denied)\b"
    r"|^\u2026 is not an? valid\b|^panic: |^uncaught |^[\u274c\u2717\u2718\u26d4]",
    re.IGNORECASE,
)
"""A first sentence that says what went wrong: "Permission denied", "User not found.", "Unknown argument: …"."""

_OTHERS = re.compile(
    r"\bsays?\b|\baccording to\b|, so\b|; nothing to do|^\W*\d+ \w+s\b|^\W*no (?:\w+ )?(?:errors?|failures?)\b"
    rf"|: ?{_NONE}",
    re.IGNORECASE,
)
"""What tells that a first sentence reports what others said, or that something went well."""

_QUOTED = re.compile(r"\"[^\"\n]*\"|`[^`\n]*`|(?<!\w)'[^'\n]*'(?!\w)|\u201c[^\u201d\n]*\u201d")
_FIRST = re.compile(r"(?s)^(.*?)(?:(?<=[.!?])\s|\n|$)")

_FAILURES = frozenset({"error", "fail", "failed", "failure", "fatal"})
_DONE, _STATUS, _CODES = (
    ("success", "ok", "successful"),
    ("status", "type", "level", "state", "outcome", "result"),
    ("status", "statusCode", "status_code"),
)
_EXITS = ("exit_code", "exitCode", "returncode", "return_code")
_ERROR_KEY = re.compile(
    r"^(?:err|error|fault|exception)(?:s|_?(?:code|messages?|msg|description|details?|type|reason|text|info))?$",
    re.IGNORECASE,
)
_TEXTS = ("message", "detail", "reason", "title", "msg", "text")
_BESIDE = frozenset(
    {*_TEXTS, "code", "documentation_url", "docs", "help", "instance", "path", "request_id", "requestId", "status"}
    | {"timestamp", "trace_id", "traceId", "type", "__type", "name", "hint", "level", "state", "outcome", "result"}
    | {"failed", "log", "logs", "stderr", "tool", "stack"}
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
    if text.lstrip()[:1] in ("{", "["):
        return bool(_MEMBERS.search(text[:RESULT_CHARS])) or _is_failure(_read(text))
    return _begins_failed(text[:RESULT_CHARS]) or (len(text) <= RESULT_CHARS and _says_failure(text))


def _begins_failed(opening: str) -> bool:
    unquoted = _unquoted(opening)
    lines = "\n".join(unquoted.strip().split("\n", 2)[:2])
    return bool(_BEGINS.search(unquoted) or _RAISED.search(opening) or _VALIDATES.search(lines))


def _says_failure(text: str) -> bool:
    """Whether a short result's first sentence says so."""
    found = _FIRST.match(_unquoted(text).strip())
    first = found.group(1) if found else ""
    return _OTHERS.search(first) is None and _SAYS.search(first) is not None


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
    codes, code = [value.get(key) for key in _CODES], value.get("code")
    told = [inner for key, inner in value.items() if _ERROR_KEY.match(str(key))]
    others = [key for key, inner in value.items() if inner not in (None, "", 0) and not _ERROR_KEY.match(str(key))]
    is_alone = not set(others) - _BESIDE
    return (
        any(value.get(key) is False or value.get(key) == "false" for key in _DONE)
        or (is_alone and _has_failed_state(value))
        or any(map(_is_http_error, [*codes, code] if is_alone else codes))
        or any(isinstance(value.get(key), int) and value[key] != 0 for key in _EXITS)
        or (any(told) and is_alone)
        or _lists_faults(value.get("detail"))
        or (value.keys() <= _BESIDE and _is_error_alone(value, [*codes, code]))
    )


def _has_failed_state(value: Mapping[str, Any]) -> bool:
    states = {str(value.get(key)).casefold() for key in _STATUS}
    return not _FAILURES.isdisjoint(states) or value.get("failed") is True


def _lists_faults(detail: Any) -> bool:
    """Whether a member is what FastAPI says of arguments that don't fit."""
    return isinstance(detail, list) and any(isinstance(one, Mapping) and {"loc", "msg"} <= one.keys() for one in detail)


def _is_http_error(code: Any) -> bool:
    return isinstance(code, int) and 400 <= code < 600


def _is_error_alone(value: Mapping[str, Any], codes: list[Any]) -> bool:
    """Whether an object that has an error's fields and no others is one."""
    texts = (inner for key in _TEXTS if isinstance(inner := value.get(key), str))
    coded = any(isinstance(code, str) and code.upper() in _RPC_CODES for code in codes)
    kind = str(value.get("__type") or value.get("type") or "")
    named = kind.endswith(("Exception", "Error"))
    return named or coded or any(_begins_failed(text) or _says_failure(text) for text in texts)
