"""What LiteLLM would import amidst the first call is there before, in the background."""

from __future__ import annotations

import subprocess
import sys

import pytest

from litellm_tokenopt.adapters import late_imports

PROGRAM = """
import sys, time
import litellm, litellm_tokenopt
from litellm_tokenopt.adapters.late_imports import MODULES
missing = lambda: [name for name in MODULES if name not in sys.modules]
before = missing()
off = {"enabled": False}
litellm_tokenopt.enable({"redis": {"url": "memory"}, "cache": off, "tools": off, "prompt": off, "context": off})
deadline = time.monotonic() + 60
while missing() and time.monotonic() < deadline:
    time.sleep(0.05)
print(len(before), missing())
litellm_tokenopt.disable()
"""


def test_they_are_there_soon() -> None:
    """`enable` begins to load what `import litellm` leaves for later."""
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=True)
    count, _, missing = found.stdout.strip().splitlines()[-1].partition(" ")
    assert int(count) > 0
    assert missing == "[]"


def test_a_version_without_one_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """What isn't there is left out, and the others are imported."""
    monkeypatch.setattr(late_imports, "MODULES", ("litellm.no_such_module", "wave"))
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    late_imports.import_now()
    assert "wave" in sys.modules
