"""Large pages for models' weights."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from litellm_tokenopt.models import pages
from litellm_tokenopt.models.pages import LARGE, large_pages

SIZE = 32 * 2**20


def advised(at: int) -> bool:
    """Whether the memory at this address may be on large pages."""
    inside = False  # the line that is read belongs to this memory
    for line in Path("/proc/self/smaps").read_text(encoding="ascii", errors="replace").splitlines():
        begin, dash, end = line.partition(" ")[0].partition("-")
        if dash and begin.isalnum():
            inside = int(begin, 16) <= at < int(end, 16)
        elif inside and line.startswith("VmFlags:"):
            return " hg" in line
    return False


def mapped() -> NDArray[np.uint8]:
    """Memory of its own, as an array; numpy would ask for large pages itself."""
    return np.frombuffer(mmap.mmap(-1, SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), np.uint8)


@pytest.mark.skipif(not (sys.platform == "linux" and LARGE.exists()), reason="this system has no large pages")
def test_what_is_mapped_meanwhile_is_put_on_large_pages() -> None:
    """And what it holds stays; memory of before is left as it was, though the system may count both as one."""
    before = mapped()
    with large_pages():
        weights = mapped()
        weights[:] = 7
    assert advised(weights.ctypes.data + SIZE // 2)
    assert not advised(before.ctypes.data + SIZE // 2)
    assert (weights == 7).all()


@pytest.mark.parametrize("missing", ["MAPPINGS", "LARGE"])
def test_without_the_systems_help_nothing_happens(
    missing: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a list of mappings nor large pages need be there."""
    monkeypatch.setattr(pages, missing, tmp_path / "missing")
    with large_pages():
        weights = mapped()
        weights[:] = 7
    assert (weights == 7).all()
