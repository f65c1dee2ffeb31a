"""What can go wrong, as a tree.

TokenOptError
├── SettingsError          a setting is wrong: path, value and what is allowed (raised at start)
├── InputError             a file given to a command can't be used (raised by commands)
└── UnavailableError       something that the plugin works with is not there; requests pass on without it
    ├── RedisUnavailable   no server, no search module, or the circuit breaker is open
    └── ModelUnavailable   an embedding model's files or packages are missing
        └── ModelLoading   they're there, and it isn't ready yet
"""

from __future__ import annotations


class TokenOptError(Exception):
    """Base of every error that this package raises."""


class SettingsError(TokenOptError, ValueError):
    """A setting is wrong; the message names the field's path, the value and what is allowed."""


class InputError(TokenOptError, ValueError):
    """A file or argument given to a command can't be used; the message says what to do."""


class UnavailableError(TokenOptError):
    """A part that the plugin works with is not there."""


class RedisUnavailable(UnavailableError):
    """No Redis, no vector search in it, or the circuit breaker is open."""


class ModelUnavailable(UnavailableError):
    """The embedding model's files or the packages that run it are missing."""


class ModelLoading(ModelUnavailable):
    """The embedding model is still being loaded."""
