"""The fold: what is sent of a conversation, decided message by message from its beginning.

Whatever is decided at a message depends on what stands before it and on itself alone. So the request of a later
turn, which brings the whole conversation again, comes to the same decisions and the same bytes, on any worker.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, filterfalse, islice
from typing import TYPE_CHECKING

from ..additions import reach_in
from ..request import Message, text_of
from ..savings import USUAL_RATES, CacheRates
from ..settings import ContextSettings
from ..tokens import MESSAGE_OVERHEAD, count_message
from .cutting import LINE_TOKENS, NO_QUOTAS, Cut, Item, Quotas, Quote, cut, quote
from .importance import LAST_MESSAGES, Heard, Importance, Listener, importance_of
from .marks import RECALL_HEAD, Marks
from .ranking import LIKE_BEST, Index, Query, best, read_terms, spread
from .spans import Spans
from .thinning import kept_shares, thin
from .units import Level, Part, Unit, add, open_unit, part_of, superseded, tail_start, takes
from .weighing import REPEAT_WEIGHT

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RECALL_TOKENS = 800
READ_AT_ONCE = 100
"""So many messages are read before the first of them is taken: one kind of work at a time is a tenth quicker."""

FEW_MESSAGES, HEARD_AHEAD_CHARS = 20, 8_000
"""A turn with so few new messages has time to hear so much of those before it: 1 to 2 ms of work."""

FAR = 1.3
"""A message goes back when what fits it best scores so much more than the latest stretch of the conversation."""

RECENT_SHARE = 0.25
"""The length of that stretch, as a share of the budget."""

OWN_SHARE = 0.5
"""How much a passage's own words count, next to those around it."""

QUESTION_RARITY, STATEMENT_RARITY = 0.8, 2.5
"""How much there must be to look for, in terms that stand nowhere else: less for a question. What one asks for may
have been spoken of more than once, so two terms that each stand in one of ten to fifteen passages are enough."""

ASKED_SHARE, REST_SHARE = 0.88, 0.4
"""Share of the budget that an epoch fills: for a question, and when nothing in particular is asked."""

QUOTA_SHARE = 0.7
"""In a long loop of tool calls, where nobody asks anything new, an epoch fills up to this share with what the levels of
messages demand: the critical first."""

REGROWTH_SHARE = 0.1
"""Share of the budget that must have come in since the last epoch, before a question alone makes a new one."""

TAIL_SHARE = 0.4
TASK_SHARE = 0.2
LOOKED_BACK = 40
"""So many messages before the last epoch are looked at to weigh those that came since."""

GROWN = 1.25
"""All messages are judged again when there are so many times as many as the last time: meanwhile the model has used
some of them, and gone past others."""

CARRIED_SHARE = 0.5
"""About so much of new results a step would save."""

PAYS = 2.0
"""A step must have been worth so many times what it costs."""

SURELY = 2.0
"""What is reckoned is never off by so much."""

PRIOR = 0.05
LEAST_GAIN = 0.1


NOTHING_TOLD: Mapping[int, Mapping[str, str]] = {}
NOTHING_ADDED: Mapping[int, Message] = {}


@dataclass(frozen=True, slots=True)
class Need:
    """What a message asks of the conversation before it.

    `related`, shape (passages,), tells of each how much it has to do with the message, `weight` (0 to 1) how much that
    says.
    `clear`: it has enough to look for; `asks`: it is a question, too; `far`: what fits it best lies further back
    than the latest stretch.
    """

    related: NDArray[np.float64]
    weight: float
    clear: bool
    asks: bool
    far: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What of a request, but its conversation, an epoch depends on.

    `rates` are those of the provider's prompt cache; `recallable`: the model may ask for what is left out. The first
    epoch brings a tool for that, and what stands behind the tools is read afresh, so many `front_tokens` too.
    """

    marks: Marks
    rates: CacheRates = USUAL_RATES
    recallable: bool = False
    front_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Addition:
    """What of the instructions was added before the message at `place`, after `chars` of all that was said."""

    message: Message
    place: int
    chars: int


@dataclass(slots=True)
class Tally:
    """What the fold has done so far."""

    epochs: int = 0
    messages_cut: int = 0
    recalled: int = 0
    summaries: int = 0


class Fold:
    """Takes a conversation message by message; `items` is what to send of those taken.

    `spans` are what the digests stand for, where they are to be summarised; `epoch_at` is the place of the message at
    which the last epoch began, `digested_at` of that at which the last digest was written.

    Takes O(text) for all messages together, and for each epoch O(passages) more.
    """

    def __init__(self, settings: ContextSettings, terms: Terms) -> None:
        self._left: list[Item | Quote] = []
        self.tally = Tally()
        self.taken = 0
        self._settings = settings
        self._marks = terms.marks
        self._terms = terms
        self.spans = Spans()
        self._reach = reach_in(settings.budget_tokens)
        self._additions: list[Addition] = []
        self._chars = self._turn_chars = 0
        self._turn_open = False
        self.epoch_at = self.digested_at = self._place = -1
        self._told: Mapping[str, str] = {}
        self._pinned: set[int] = set()
        self._units: list[Unit] = []
        self._rounds: list[Unit] = []
        self._messages: list[Message] = []
        self._weighed: list[Importance] = []
        self._listener = Listener()
        self._heard: dict[int, Heard] = {}
        self._judged = 0
        self._fresh, self._asked = range(0), ""
        self._index = Index()
        self._costs = array("L")
        self._owners: list[int] = []
        self._places = array("L")
        self._weights = array("d")
        self._hidden: set[int] = set()
        self._tokens = self._tokens_in = self._grown = self._fixed_tokens = 0
        self._most = settings.budget_tokens * settings.high_water
        self._least_left: dict[int, int] = {}
        self._sizes = array("l")
        self._question = ""
        self._question_tokens = 0
        self._carried = 0.0
        self._step_carried = 0.0
        self._new_results = 0

    @property
    def items(self) -> list[Item]:
        """What to send of the messages that were taken."""
        found: list[Item] = []
        for one in self._left:
            found += one.items() if isinstance(one, Quote) else (one,)
        return found

    @property
    def tokens_in(self) -> int:
        """Tokens of the messages that were taken."""
        return self._tokens_in

    def advance(
        self,
        body: Sequence[Message],
        pinned: Collection[int] = (),
        summaries: Mapping[int, Mapping[str, str]] = NOTHING_TOLD,
        additions: Mapping[int, Message] = NOTHING_ADDED,
    ) -> None:
        """Take the messages of *body* that come after those already taken; those at *pinned* stay as they are.

        *summaries* has, by a message's place, what an epoch there uses: texts by the keys of spans. *additions* are
        sent before the messages at their places, as long as they stand.
        """
        self._pinned.update(place for place in pinned if self.taken <= place < len(body))
        parts = self._parts(body)
        while some := list(islice(parts, READ_AT_ONCE)):
            for passage in chain.from_iterable(part.document.passages for part in some):
                read_terms(passage)
            for part in some:
                self._place, self._told = part.place, summaries.get(part.place, {})
                self._take(part, additions.get(part.place))
        if len(body) - self.taken <= FEW_MESSAGES:
            self._hear_ahead()
        self.taken = max(self.taken, len(body))

    def _parts(self, body: Sequence[Message]) -> Iterator[Part]:
        base = len(self._index)
        for place in range(self.taken, len(body)):
            part = part_of(body[place], place, base)
            base = part.numbers.stop
            yield part

    def _take(self, part: Part, addition: Message | None) -> None:
        message, place = part.message, part.place
        self._say(message)
        if message.get("role") == "user":
            self._before_question(text_of(message.get("content")))
        if addition is not None:
            self._additions.append(Addition(addition, place, self._turn_chars))
            self._left.append(addition)
        for passage in part.document.passages:
            self._index.add(passage)
        self._costs.extend(part.costs())
        self._places.extend([place] * len(part.numbers))
        self._weights.extend(part.document.weights)
        unit = self._units[-1] if self._units else None
        if unit is not None and takes(unit, message):
            add(unit, part)
            if len(unit.parts) == 2:
                self._rounds.append(unit)
        else:
            unit = open_unit(part)
            self._units.append(unit)
        unit.fixed = unit.fixed or not self._pinned.isdisjoint(unit.places)
        self._owners += [len(self._units) - 1] * len(part.numbers)
        self._left.append(place)
        self._messages.append(message)
        self._count(part.tokens)
        self._fixed_tokens += part.tokens if unit.fixed else part.fixed_tokens
        self._new_results += part.tokens if message.get("role") == "tool" else 0
        if unit.role == "user":
            self._question_tokens = part.tokens
        elif unit.calls and not unit.open:
            self._after_round()

    def _say(self, message: Message) -> None:
        """Tell where the user's turn began; messages of theirs that no reply divides are one."""
        role = message.get("role")
        if role == "user" and not self._turn_open:
            self._turn_chars = self._chars
        self._turn_open = role == "user" or (self._turn_open and role != "assistant")
        self._chars += len(text_of(message.get("content")))

    def _count(self, tokens: int) -> None:
        self._tokens += tokens
        self._tokens_in += tokens
        self._grown += tokens

    def _before_question(self, text: str) -> None:
        """A request can be sent once this message is there: cut what stands before it, or bring something back."""
        self._question, self._question_tokens = text, 0
        self._sizes.append(self._tokens - self._fixed_tokens)
        if self._step_pays():
            self._step(text, self._settings.keep_last_turns - 1)
        if self._tokens <= self._ripe and not self._hidden:
            return
        full = self._tokens > self._most
        query = self._index.query(text)
        if not full and not self._is_clear(query):
            return
        need = self._need(query)
        budget, keep = self._settings.budget_tokens, self._settings.keep_last_turns - 1
        long = self._tokens_in > self._most
        ripe = long and need.asks and self._tokens > (self._ripe if need.far else (budget + self._most) / 2)
        due = full or (ripe and self._grown > REGROWTH_SHARE * budget)
        goes_back = need.asks and need.far
        share, worth = (ASKED_SHARE, self._terms.rates.write) if goes_back else (REST_SHARE, 0.0)
        if due and self._epoch(need, keep, share, said_again=worth) and goes_back:
            return
        if need.clear and self._hidden:
            room = min(RECALL_TOKENS, budget // 4)
            self._bring_back(need, max(room, budget - self._tokens) if goes_back else room)

    def _after_round(self) -> None:
        """A request can be sent with these results."""
        self._sizes.append(self._tokens - self._question_tokens - self._fixed_tokens)
        if self._step_pays():
            self._step(self._question, self._settings.keep_last_turns)
        if self._tokens - self._question_tokens > self._most:
            need = self._need(self._index.query(self._question))
            self._epoch(need, self._settings.keep_last_turns, REST_SHARE, QUOTA_SHARE)

    @property
    def _ripe(self) -> int:
        """From here on a question that goes back is a good moment for an epoch."""
        budget = self._settings.budget_tokens
        return budget - min(RECALL_TOKENS, budget // 4)

    def _is_clear(self, query: Query) -> bool:
        """Whether there is enough to look for."""
        enough = QUESTION_RARITY if query.asks else STATEMENT_RARITY
        return query.mass > 0 and query.mass >= enough * self._index.rarity()

    def _need(self, query: Query) -> Need:
        rarity, clear = self._index.rarity(), self._is_clear(query)
        own = self._index.scores(query.weights)
        fitting = [(float(own[number]), self._index.texts[number]) for number in islice(best(own), LIKE_BEST)]
        own += self._index.scores(self._index.alike(query, fitting))
        around = spread(own)
        most, most_around = _most(own) or 1.0, _most(around) or 1.0
        return Need(
            related=(around / most_around + OWN_SHARE * own / most) / (1 + OWN_SHARE),
            weight=min(1.0, query.mass / rarity) if rarity else 0.0,
            clear=clear,
            asks=clear and query.asks,
            far=clear and self._goes_back(own, around),
        )

    def _epoch(
        self, need: Need, keep_turns: int, share: float, quota_share: float = 0.0, said_again: float = 0.0
    ) -> bool:
        """Cut anew, if that pays; whether that was done. A token of what was left out is worth *said_again*."""
        room = int(self._settings.budget_tokens * max(share, quota_share))
        least = self._least_left.get(room, 0)
        if not self._pays(least, said_again * room):
            return False
        scores = self._scores(need)
        if said_again and not self._pays(least, said_again * self._has_room_again(scores, room)):
            return False
        found = cut(
            self._units, whole=self._whole(keep_turns), scores=scores, costs=self._costs,
            budget_tokens=int(self._settings.budget_tokens * share) + self._question_tokens, marks=self._marks,
            quotas=self._quotas(quota_share - share),
            summarise=lambda digested, room: self.spans.summaries(self._told, digested, room),
        )  # fmt: skip
        left = found.tokens - self._question_tokens
        worth = said_again * sum(map(self._costs.__getitem__, self._hidden - found.hidden))
        # The next one fills the room again; of what exceeds it the newest may be cut then.
        self._least_left[room] = max(min(left, room), left - self._units[-1].tokens)
        pays = self._pays(left, worth)
        if pays:
            self._begin_anew(found)
        return pays

    def _has_room_again(self, scores: NDArray[np.float64], room: int) -> int:
        """Tokens of what was left out among what fits best in *room*: an epoch says no more of it again."""
        import numpy as np

        best = (-scores).argsort(kind="stable")
        costs, out = np.array(self._costs)[best], np.zeros(len(scores), bool)
        out[list(self._hidden)] = True
        return int(costs[out[best] & ((costs + LINE_TOKENS // 2).cumsum() <= room)].sum())

    def _pays(self, left: int, worth: float = 0.0) -> bool:
        """Whether an epoch that leaves so many tokens, the question aside, makes the conversation smaller, and to have
        carried along what it leaves out has by now cost what it costs to send the rest anew, less what it's *worth*.

        So waiting for epochs and making them cost alike, however large rounds are and however long a session lasts:
        at most twice what the best moments would have.
        """
        if left >= (1 - LEAST_GAIN) * (self._tokens - self._question_tokens):
            return False
        least = left - self._fixed_tokens
        carried = self._terms.rates.read * sum(size - least for size in self._sizes if size > least)
        return carried + worth >= self._anew(left - min(left, self._units[-1].tokens))

    def _quotas(self, more: float) -> Quotas:
        """What stays of each level, in so much *more* of the budget; nothing where that's no more."""
        if more <= 0:
            return NO_QUOTAS
        levels = [one.level for one in self._weigh()]
        return Quotas(levels, kept_shares(len(Level), self._terms.recallable), int(self._settings.budget_tokens * more))

    def _step_pays(self) -> bool:
        """Whether carrying old results along has cost by now what it costs to send the rest anew without them.

        So a step comes when the session has lasted long enough to be likely to go on for as long again; it never costs
        more than twice what the best moment would have. Without a cache at the provider it pays at once.
        """
        could_save = CARRIED_SHARE * self._new_results
        if not self._steps or self._grown <= REGROWTH_SHARE * self._settings.budget_tokens:
            return False
        self._carried += self._terms.rates.read * could_save
        rest = self._anew(self._tokens - could_save)
        return could_save > 0 and self._carried >= max(PAYS * rest, self._step_carried)

    def _anew(self, tokens: float) -> float:
        """What a step costs that changes what stands before the last *tokens* of what it leaves."""
        terms = self._terms
        if terms.recallable and not self.tally.epochs:
            tokens = max(tokens, self._tokens - CARRIED_SHARE * self._new_results) + terms.front_tokens
        return terms.rates.rewrite * tokens

    @property
    def _steps(self) -> int:
        """How many of the settings' steps the conversation has come to."""
        return sum(self._tokens > tokens for tokens in self._settings.steps)

    def _step(self, text: str, keep_turns: int) -> None:
        """Shorten old results where they stand, if that pays by what it really saves."""
        start = tail_start(self._units, keep_turns, self._tail_tokens)
        found = thin(
            self.items, self._units[:start], [one.level for one in self._weigh()],
            kept_shares(self._steps, self._terms.recallable),
            scores=self._scores(self._need(self._index.query(text))).tolist(), costs=self._costs,
        )  # fmt: skip
        behind = sum(self._item_tokens(item) for item in found.items[found.first :])
        could_save = CARRIED_SHARE * self._new_results
        carried = self._carried * found.saved / could_save
        if found.saved < LEAST_GAIN * self._tokens or carried < PAYS * self._anew(behind):
            self._step_carried = 2 * self._carried
            return
        self._left = list(found.items)
        self._tokens -= found.saved
        self._hidden |= found.hidden
        self.tally.messages_cut += found.messages
        self._new_epoch()

    def _item_tokens(self, item: Item) -> int:
        return count_message(self._messages[item] if isinstance(item, int) else item)

    def _new_epoch(self) -> None:
        self.tally.epochs += 1
        self.epoch_at = self._place
        self.tally.recalled = 0
        self._fresh, self._asked = range(self._fresh.stop, len(self._messages)), self._question
        self._grown = self._new_results = 0
        self._carried = self._step_carried = 0.0
        self._least_left = {room: min(left, room) for room, left in self._least_left.items()}
        del self._sizes[:]

    @property
    def _tail_tokens(self) -> int:
        return int(self._settings.budget_tokens * TAIL_SHARE)

    def levels(self) -> Mapping[Level, int]:
        """How many messages matter how much, of those that were new to the last epoch."""
        return Counter(one.level for one in self._importance(self._fresh, self._asked))

    def _weigh(self) -> list[Importance]:
        """How much each message matters, by place; older ones as they were found the last time that all were judged."""
        known = max(0, len(self._weighed) - LAST_MESSAGES)
        if len(self._messages) >= GROWN * self._judged:
            known, self._judged = 0, len(self._messages)
        self._weighed[known:] = self._importance(range(known, len(self._messages)), self._question)
        return self._weighed

    def _importance(self, places: range, question: str) -> Sequence[Importance]:
        """How much the messages at *places* matter, by what stands little before them."""
        start = max(0, places.start - LOOKED_BACK)
        heard, pinned = list(map(self._hear, range(start, places.stop))), [place - start for place in self._pinned]
        return importance_of(heard, self._listener.words(question), places.start - start, pinned)

    def _hear(self, place: int) -> Heard:
        if place not in self._heard:
            self._heard[place] = self._listener.heard(self._messages[place])
        return self._heard[place]

    def _hear_ahead(self) -> None:
        """Hear some of what nobody has weighed yet, so that no later turn has to hear all."""
        chars = HEARD_AHEAD_CHARS
        for place in filterfalse(self._heard.__contains__, range(len(self._messages))):
            chars -= len(self._hear(place).text)
            if chars < 0:
                return

    def _begin_anew(self, found: Cut) -> None:
        since = self._reach.since(self._turn_chars)
        self._additions = [addition for addition in self._additions if addition.chars >= since]
        self._left = list(_with(found.items, self._additions))
        self._tokens = found.tokens
        self._hidden = set(found.hidden)
        self.tally.messages_cut = found.messages_cut
        self.tally.summaries = found.summaries
        self.digested_at = self._place
        if self._settings.summary_model is not None:
            shown = {item for item in found.items if isinstance(item, int)}
            self.spans.add(self._units, (n for n, unit in enumerate(self._units) if unit.parts[0].place not in shown))
        self._new_epoch()

    def _whole(self, keep_turns: int) -> list[bool]:
        """For each unit whether it stays as it is: what can't be cut, the last turns, the task and the question."""
        budget = self._settings.budget_tokens
        start = tail_start(self._units, keep_turns, self._tail_tokens)
        whole = [index >= start or unit.fixed or (unit.calls and unit.open) for index, unit in enumerate(self._units)]
        first, last = self._question_at(range(len(whole))), self._question_at(range(len(whole) - 1, -1, -1))
        if first is not None and self._units[first].tokens <= budget * TASK_SHARE:
            whole[first] = True
        if last is not None and self._question_tokens:
            whole[last] = True
        return whole

    def _question_at(self, numbers: range) -> int | None:
        return next((number for number in numbers if self._units[number].role == "user"), None)

    def _scores(self, need: Need) -> NDArray[np.float64]:
        """Of each passage: what it has to do with the question; as far as nothing is asked, its message's importance
        and age; what its kind speaks for it, and that a later result says the same."""
        import numpy as np

        places, count = np.array(self._places, np.intp), len(self._index)
        priors = 0.5 * np.arange(count) / count
        if need.weight < 1:
            priors += 0.5 * np.array([one.score for one in self._weigh()])[places]
        weights = np.array(self._weights)
        if older := superseded(self._rounds):
            weights[np.isin(places, list(older))] += REPEAT_WEIGHT
        return np.asarray(need.weight * need.related + (1 - need.weight + PRIOR) * priors + weights, np.float64)

    def _goes_back(self, own: NDArray[np.float64], related: NDArray[np.float64]) -> bool:
        """Whether the passages that fit best lie behind the latest stretch of the conversation."""
        start, tokens = len(own), 0.0
        for unit in reversed(self._units):
            if tokens > RECENT_SHARE * self._settings.budget_tokens:
                break
            tokens += unit.tokens
            start = unit.base
        lies_back = _most(related[:start]) > FAR * _most(related[start:])
        return lies_back and _most(own[:start]) > _most(own[start:])

    def _bring_back(self, need: Need, room: int) -> None:
        """Of the passages that fit the question best, *room* tokens in all, say those again that are left out."""
        chosen: set[int] = set()
        for number in best(need.related):
            room -= self._costs[number] + LINE_TOKENS
            if room < 0:
                break
            if number in self._hidden:
                chosen.add(number)
        if not chosen:
            return
        units = [self._units[at] for at in sorted({self._owners[number] for number in chosen})]
        said = quote(RECALL_HEAD, units, chosen, self._costs, self._marks)
        if not self._may_add(said):
            return
        self._left.append(said)
        self._tokens += said.tokens
        self._hidden.difference_update(chosen)
        self.tally.recalled += len(chosen)

    def _may_add(self, said: Quote) -> bool:
        """Whether with it no more is sent than came in: what was reckoned is counted where that's near."""
        tokens = self._tokens + said.tokens
        reckoned = said.tokens + sum([one.tokens for one in self._left if isinstance(one, Quote)])
        if tokens + (SURELY - 1) * reckoned + MESSAGE_OVERHEAD > self._tokens_in:
            added = sum(count_message(addition.message) for addition in self._additions)
            tokens = sum(map(self._item_tokens, (*self.items, *said.items()))) - added
        return tokens + MESSAGE_OVERHEAD <= self._tokens_in


def _with(items: Sequence[Item | Quote], additions: Sequence[Addition]) -> Iterator[Item | Quote]:
    """*items*, each of *additions* before the first message as it came that isn't older than its own."""
    waiting = deque(additions)
    for item in items:
        while waiting and isinstance(item, int) and item >= waiting[0].place:
            yield waiting.popleft().message
        yield item
    yield from (addition.message for addition in waiting)


def _most(scores: NDArray[np.float64]) -> float:
    """The highest of *scores*, which are 0 or more; 0 where there are none."""
    return float(scores[scores.argmax()]) if len(scores) else 0.0
