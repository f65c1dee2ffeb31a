"""LiteLLM's own proxy as a subprocess on the loopback, for demonstrations and tests."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from ..errors import UnavailableError
from .processes import Running, comes_up, end, free_ports

START_SECONDS = 120.0
LOG_TAIL_LINES = 40

_QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOG": "WARNING",
    "NO_DOCS": "True",
    "DISABLE_ADMIN_UI": "True",
    "STORE_MODEL_IN_DB": "False",
}


class Proxy(Running):
    """Runs ``litellm --config CONFIG`` while its context is open.

    *environment* is added to this process's own; the master key is made afresh unless it holds
    ``LITELLM_MASTER_KEY``. Entering raises `UnavailableError` with the log's tail when the proxy does not come up
    in two minutes.
    """

    def __init__(
        self,
        config: Path,
        environment: Mapping[str, str],
        *,
        log: Path,
    ) -> None:
        (self.port,) = free_ports(1)
        self.log = log
        self._config = config
        self._environment = {"LITELLM_MASTER_KEY": f"sk-{secrets.token_urlsafe(32)}", **_QUIET, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        """What OpenAI's client wants."""
        return f"{self.url}/v1"

    @property
    def key(self) -> str:
        """The master key; clients send it as their API key."""
        return self._environment["LITELLM_MASTER_KEY"]

    def start(self) -> None:
        command = [_litellm(), "--config", str(self._config.resolve()), "--host", "127.0.0.1", "--port", str(self.port)]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--telemetry", "False"],
                env=os.environ | self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._await_start(self._process)

    def close(self) -> None:
        """End the proxy and its workers; what it has to export is exported first."""
        process, self._process = self._process, None
        if process is not None:
            end(process)

    def log_tail(self, lines: int = LOG_TAIL_LINES) -> str:
        """The end of the proxy's log."""
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def _await_start(self, process: subprocess.Popen[bytes]) -> None:
        health = f"{self.url}/health/liveliness"
        if not comes_up(process, lambda: _answers(health), START_SECONDS):
            why = "ended" if process.poll() is not None else f"did not answer within {START_SECONDS:g} s"
            raise UnavailableError(f"LiteLLM's proxy {why}; the end of {self.log}:\n{self.log_tail()}")


def _litellm() -> str:
    beside = shutil.which("litellm", path=str(Path(sys.executable).parent))
    found = beside or shutil.which("litellm")
    if found is None:
        raise UnavailableError("the command litellm isn't there: pip install 'litellm-tokenopt[proxy]'")
    return found


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=1) as response:
            return int(response.status) == 200
    except (URLError, OSError):
        return False
