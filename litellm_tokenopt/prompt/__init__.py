"""Stage 3: the sections of a long system prompt that a conversation needs."""

from .stage import PromptStage

__all__ = ["PromptStage"]
