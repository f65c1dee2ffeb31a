"""The command ``tokenopt``: look at what the plugin would do, and whether all it needs is there.

Everything heavy is imported by the command that needs it, so that ``tokenopt --help`` is quick.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from .. import __version__
from ..errors import TokenOptError
from . import answers, machine, prompts, tools, traffic
from .base import FAILED, INTERRUPTED

EXAMPLES = """\
examples:
  tokenopt doctor                                   is everything there that the plugin needs?
  tokenopt warmup                                   make the embedding model ready, before the first request
  tokenopt replay requests.jsonl                    what would it have saved on your own requests?
  tokenopt replay requests.jsonl --html report.html --model claude-sonnet-4-5
  tokenopt report traces.jsonl                      what did it do to the traffic, and which side of an experiment wins?
  tokenopt explain request.json                     what happens to this one request, message by message?
  tokenopt classify "book a flight to Rome"          what kind of task is it?
  tokenopt prompt split system_prompt.md             a system prompt as modules, to edit
  tokenopt cache drop --tag docs-v1                 take answers out of the cache that are right no longer
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 when all is well, 1 when something isn't, 2 for wrong arguments."""
    options = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = options.command
    try:
        done = command(options)
        sys.stdout.flush()
        return done
    except TokenOptError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:  # whoever reads, such as `head`, has seen enough; what is left goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tokenopt",
        description="Fewer tokens and repeated answers without a model, for LiteLLM.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tokenopt {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (traffic, machine, answers, prompts, tools):
        module.add(commands)
    return parser
