"""Answers shared between conversations that aren't the same, but come to the same question in the same situation.

The last turn either stands alone, and is then asked as if nothing went before; or it leans on earlier turns, and is
then answered only where what those established is the same, small talk aside.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..request import ChatRequest, Message, Reply, digest, has_media, is_system, text_of, user_turns
from ..settings import CacheSettings
from .facts import same_facts, statements
from .lasting import lasting
from .manager import Lookup, SemanticCacheManager
from .restated import Restater
from .scope import Scope, at_home, scope_of
from .situation import Clause, Situation, figures, pack, situation_of, unpack
from .standing import LastTurn, leans_on, split_turn
from .stores import Entry
from .telling import Teller

MAX_CHARS = 40_000
"""Longer histories are answered by their exact repeats alone."""

SLACK = 0.15
"""By how much less similar last turns may be in the same situation: "when can I collect it?", "pick it up"."""

# Keys of a message that don't change what it says.
_SILENT_KEYS = frozenset({"role", "content", "cache_control"})
_CODE = re.compile(r"```|\n {4}\S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A request with earlier turns: *scope* is its own, *alone* that of its last turn asked without the others.

    *lasting* is what the user said in the others for good.
    """

    scope: Scope
    alone: str
    lasting: tuple[str, ...]
    turn: LastTurn
    history: tuple[str, ...]
    situation: Situation

    @property
    def bare(self) -> str:
        """The scope of the last turn asked after nothing but what was said for good."""
        return at_home(self.alone, digest("lasting", self.alone, *self.lasting)) if self.lasting else self.alone

    @property
    def shelf(self) -> str:
        """The scope of requests whose situations are worth comparing: those that speak of the same figures."""
        said = set(figures(("", clause.text) for clause in self.situation))
        return at_home(self.alone, digest("situation", self.alone, *sorted(said)))

    @property
    def told(self) -> str:
        """The scope of requests whose question hinges on facts that were told."""
        return at_home(self.bare, digest("told", self.bare))


def conversation_of(
    request: ChatRequest, scope: Scope, settings: CacheSettings, embedder_name: str
) -> Conversation | None:
    """*request* as a conversation whose earlier turns are plain talk; None for any other."""
    at = user_turns(request.messages)[-1]
    start = next((i for i, message in enumerate(request.messages) if not is_system(message)), at)
    turns, last = request.messages[start:at], request.messages[at]
    if not (scope.similar and turns) or not all(map(_is_plain, turns)):
        return None
    told = [(str(message["role"]), text_of(message.get("content"))) for message in turns]
    if sum(len(text) for _, text in told) > MAX_CHARS or _CODE.search(scope.question):
        return None
    alone = request.with_(messages=(*request.messages[:start], last))
    turn = split_turn(scope.question)
    told_all = [*told, ("user", turn.lead)] if turn.lead else told
    return Conversation(
        scope=scope, alone=scope_of(alone, settings, embedder_name).id, turn=turn,
        lasting=lasting(text for role, text in told_all if role == "user"),
        history=tuple(text for _, text in told), situation=situation_of(told_all),
    )  # fmt: skip


class Conversations:
    """Looks up and stores what *manager* may share between conversations."""

    def __init__(self, manager: SemanticCacheManager) -> None:
        self._manager = manager
        self._teller = Teller(manager.embedder)
        self._restater = Restater(manager.embedder, self._teller, manager.likeness)

    def read(self, request: ChatRequest, scope: Scope) -> Conversation | None:
        """*request* as a conversation; None where only the very same history may share its answer."""
        settings = self._manager.settings
        if settings.conversations == "exact" or settings.max_wrong_rate == 0 or not self._teller.ready:
            return None
        return conversation_of(request, scope, settings, self._manager.embedder.name)

    async def check(self, conversation: Conversation, *, max_age_seconds: float | None = None) -> Lookup:
        """The answer given in the same situation, or to the same question asked alone. Raises `UnavailableError`."""
        found = await self._manager.similar(
            conversation.turn.core, scope=conversation.shelf, max_age_seconds=max_age_seconds, slack=SLACK,
            accepts=lambda entry: self._same_situation(conversation, entry),
        )  # fmt: skip
        if found.entry is not None or not await self._stands_alone(conversation):
            return found
        facts, core = await self._facts(conversation), conversation.turn.core
        if not facts:
            return await self._manager.check(core, scope=conversation.bare, max_age_seconds=max_age_seconds)
        return await self._manager.similar(
            core, scope=conversation.told, max_age_seconds=max_age_seconds,
            accepts=lambda entry: _told_the_same(facts, entry),
        )  # fmt: skip

    async def store(self, conversation: Conversation, reply: Reply, options: Mapping[str, Any]) -> None:
        """Keep *reply* for this situation, and for its question with the facts it hinges on if neither leans.

        Raises `UnavailableError`.

        *options* are `SemanticCacheManager.store`'s.
        """
        core = conversation.turn.core
        await self._manager.store(
            core, reply, scope=conversation.shelf, situation=pack(conversation.situation),
            key=self._manager.key(conversation.scope.question, conversation.scope.id), **options,
        )  # fmt: skip
        if not await self._stands_alone(conversation):
            return
        facts = await self._facts(conversation)
        if leans_on(reply, " ".join((core, *facts)), (*conversation.history, conversation.turn.lead)):
            return
        if facts:
            told = pack(tuple(Clause("u", fact) for fact in facts))
            key = self._manager.key(f"{core}\n{told}", conversation.told)
            await self._manager.store(core, reply, scope=conversation.told, situation=told, key=key, **options)
        else:
            await self._manager.store(core, reply, scope=conversation.bare, **options)

    async def _facts(self, conversation: Conversation) -> tuple[str, ...]:
        return await self._teller.facts(conversation.turn, statements(conversation.situation))

    async def _stands_alone(self, conversation: Conversation) -> bool:
        return await self._teller.stands_alone(conversation.turn, conversation.history)

    async def _same_situation(self, conversation: Conversation, entry: Entry) -> bool:
        return await self._restater.same(conversation.situation, _situation(entry), conversation.turn.core)


async def _told_the_same(facts: tuple[str, ...], entry: Entry) -> bool:
    return same_facts(facts, [clause.text for clause in _situation(entry)])


def _situation(entry: Entry) -> Situation:
    try:
        return unpack(entry.situation)
    except (ValueError, TypeError):
        return ()


def _is_plain(message: Message) -> bool:
    """Whether a message is the user's or the assistant's, and says all it says in text."""
    loud = (name for name, value in message.items() if name not in _SILENT_KEYS and value)
    return message.get("role") in ("user", "assistant") and not any(loud) and not has_media(message)
