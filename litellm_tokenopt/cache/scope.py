"""What must be equal before two requests may share an answer, as one digest."""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ..memo import Memo
from ..request import ChatRequest, Message, Tool, canonical, digest, is_text_part, text_of, user_turns
from ..settings import CacheSettings
from .forms import message_of, options_of, tool_choice_of

FORMAT_VERSION = "3"
"""Part of every scope, key and index name: raise it when what is stored, or how it's compared, changes."""

HOMES = tuple("0123456789abcdef")
"""Names of the places over which answers are spread in a cluster."""

NOT_SHAPING = frozenset({"stream", "stream_options", "timeout", "request_timeout", "num_retries", "max_retries"})
"""Options that say how an answer is delivered, not what it says."""


_tool_digests: Memo[bytes, str] = Memo(max_entries=256)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """`id` is equal for requests that may share answers. `question` is the last user turn's text, outside the digest.

    `similar` is False where only the very same question may be answered: the last message isn't the user's.
    """

    id: str
    question: str
    similar: bool


def scope_of(request: ChatRequest, settings: CacheSettings, embedder_name: str) -> Scope:
    """The scope of *request*, which has a user message. Takes 1 ms for 60k tokens."""
    turn = user_turns(request.messages)[-1]
    messages = [message_of(message) for message in request.messages]
    before, last, after = messages[:turn], messages[turn], messages[turn + 1 :]
    parts = (
        FORMAT_VERSION,
        embedder_name,
        _tenant(request, settings),
        request.surface,
        request.model,
        _optional(request.controls.namespace),
        canonical(tool_choice_of(request)),
        _tools(request.tools),
        _options(options_of(request), settings),
        _messages(before),
        _frame(last),
        _messages(after),
    )
    home = digest(*parts[2:6])
    return Scope(id=at_home(home, digest(*parts)), question=text_of(last.get("content")), similar=not after)


def entry_key(scope: str, question: str) -> str:
    """The key of the answer to *question*, in its exact form, within the scope of this id."""
    return at_home(scope, digest(scope, question))


def home_of(text: str) -> str:
    """The one of `HOMES` where what has this scope, or this key, is kept.

    That of scopes hangs on tenant, API, model and namespace alone, and that of keys on their scope: all that one
    look-up may find is in one place.
    """
    return text[0] if text[:1] in HOMES else digest(text)[0]


def at_home(text: str, found: str) -> str:
    """The digest *found*, made to be at home where *text* is."""
    return home_of(text) + found[1:]


def _tenant(request: ChatRequest, settings: CacheSettings) -> str:
    """Whose answers they are, and what the caller says about itself; where an owner is unknown, the next narrower."""
    if settings.share == "global":
        return canonical(["global"])
    tenant = request.tenant
    owners = {
        "team": (tenant.team,),
        "key": (tenant.key,),
        "user": (tenant.key, tenant.team, tenant.user, tenant.end_user),
    }
    asked = {"team": ("team", "key"), "key": ("key",), "user": ()}[settings.share]
    owner = next((name for name in asked if owners[name] != (None,)), "user")
    return canonical([settings.share, owner, owners[owner], _counting(request.metadata, settings)])


def _counting(named: Mapping[str, Any], settings: CacheSettings) -> dict[str, Any]:
    """What is left without the names that don't change answers."""
    ignored = {name.lower() for name in settings.ignore_metadata}
    return {name: value for name, value in named.items() if name.lower() not in ignored}


def _optional(text: str | None) -> str:
    return canonical(text)


def _options(options: Mapping[str, Any], settings: CacheSettings) -> str:
    shaping = {name: value for name, value in options.items() if name not in NOT_SHAPING}
    headers = shaping.pop("headers", {})
    return canonical([shaping, _counting(headers, settings)])


def _tools(tools: tuple[Tool, ...]) -> str:
    """A digest of the tool block; that of a block seen before costs a tenth."""
    try:
        # Format 2 has no back references; other bytes for equal tools would only cost a second look.
        seen = hashlib.blake2b(marshal.dumps(cast(Any, tools), 2), digest_size=16).digest()
    except ValueError:
        return digest(*map(canonical, tools))
    return _tool_digests.get_or(seen, lambda: digest(*map(canonical, tools)))


def _messages(messages: Sequence[Message]) -> str:
    """A digest of whole messages; plain ones are hashed as they are, which is what makes long histories cheap."""
    hasher = hashlib.blake2b(digest_size=16)
    for message in messages:
        content = message.get("content")
        plain = len(message) == 2 and isinstance(content, str) and isinstance(message.get("role"), str)
        text = f"{message['role']}\0{content}" if plain else canonical(message)
        data = text.encode("utf-8", "surrogatepass")
        hasher.update(b"%c%d:" % (plain, len(data)))
        hasher.update(data)
    return hasher.hexdigest()


def _frame(message: Message) -> str:
    """All of a message but its text: its other keys, its media, and where the text stands among them."""
    content = message.get("content")
    rest = {name: value for name, value in message.items() if name != "content"}
    if isinstance(content, Sequence) and not isinstance(content, str):
        rest["content"] = [_without_text(part) for part in content]
    return canonical(rest)


def _without_text(part: Any) -> Any:
    return {name: value for name, value in part.items() if name != "text"} if is_text_part(part) else part
