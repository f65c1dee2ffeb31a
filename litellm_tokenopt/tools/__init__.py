"""Stage 2: which tools are sent, and how large they are."""

from .stage import ToolsStage

__all__ = ["ToolsStage"]
