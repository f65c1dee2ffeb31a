"""Say in the log what went wrong, once."""

from __future__ import annotations

import logging


class Sayings:
    """Logs each kind of trouble as a warning the first time, and for those who debug from then on.

    A kind is one of few words, such as ``cache:timeout``; each object counts for itself.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._said: set[str] = set()

    def __call__(self, kind: str, message: str, *values: object, error: BaseException | None = None) -> None:
        """Say *message* (with *values* in its places, and the traceback of *error*), which is of this *kind*."""
        level = logging.DEBUG if kind in self._said else logging.WARNING
        self._said.add(kind)
        self._logger.log(level, message, *values, exc_info=error)
