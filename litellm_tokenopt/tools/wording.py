"""How short descriptions are said: one `Wording` for each level of compression."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from ..settings import SchemaLevel
from .prose import adds_nothing, shorten_argument, shorten_tool, tidy, without_facts
from .telegram import Budget, telegram_argument, telegram_tool, without_forms


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How the descriptions of a tool and its arguments are shortened.

    `tool` takes (description, names of the tool and its arguments), and never gives "" where something was said.
    `argument` takes (description, what names and the tool's description tell, what the schema's keywords say), and
    gives "" where nothing is left to say; `knows_context`: whether the tool's words and the names of
    the arguments beside it count as told for every argument.
    """

    tool: Callable[[str, str], str]
    argument: Callable[[str, str, Collection[str]], str]
    unnamed: Callable[[str, Collection[str]], str]
    tells_description: bool = False
    knows_context: bool = False

    def told(self, name: str, description: str) -> str:
        """What arguments needn't say again."""
        return f"{name} {without_forms(description)}" if self.tells_description else name


def _tidy(text: str, facts: Collection[str]) -> str:
    return tidy(without_facts(text, facts)) or text


def _unless_told(shorten: Callable[[str, Collection[str]], str]) -> Callable[[str, str, Collection[str]], str]:
    def argument(text: str, told: str, facts: Collection[str]) -> str:
        short = "" if adds_nothing(text, told) else shorten(text, facts)
        return "" if adds_nothing(short, told) else short

    return argument


LOSSLESS = Wording(tool=lambda text, _: tidy(text) or text, argument=_unless_told(_tidy), unnamed=_tidy)
LIGHT = Wording(
    tool=lambda text, _: shorten_tool(text), argument=_unless_told(shorten_argument), unnamed=shorten_argument
)


def _telegram(tool: Budget, argument: Budget) -> Wording:
    return Wording(
        tool=lambda text, told: telegram_tool(text, told, tool),
        argument=lambda text, told, facts: telegram_argument(text, told, facts, argument),
        unnamed=shorten_argument,
        tells_description=True,
        knows_context=True,
    )


STRONG = _telegram(Budget(first=8, forms=8, rules=20), Budget(first=6, forms=8, rules=16))
BARE = _telegram(
    Budget(first=6, forms=0, rules=8, obeys=False), Budget(first=0, forms=3, rules=5, obeys=False, generous=False)
)

WORDINGS: Mapping[SchemaLevel, Wording] = {"lossless": LOSSLESS, "light": LIGHT, "strong": STRONG, "bare": BARE}
