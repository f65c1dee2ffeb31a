"""Memory that a model had goes back to the system when it's closed."""

from __future__ import annotations

import ctypes
import sys


def give_back() -> None:
    """Have the C library return what has been freed.

    glibc keeps it, in parts for each thread that allocated: a process that loads models again and again would grow to
    several times their size. Does nothing elsewhere.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
