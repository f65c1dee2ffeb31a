"""What asks a model beside the requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said, and how many tokens it read and wrote."""

    text: str
    tokens: int


AskModel: TypeAlias = Callable[[Sequence[Mapping[str, str]]], Awaitable[Said]]
"""Sends chat messages to the model that the settings name; raises what goes wrong."""
