"""What a command prints: --quiet, --verbose and --json."""

import json
import sys
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import tyro

from ddfa.errors import one_line
from ddfa.options import Json, Quiet, Verbose


@dataclass(frozen=True)
class Messages:
    """What a command prints; `ddfa.cli` sees to --verbose and hides progress bars with --quiet."""

    quiet: Quiet = False
    verbose: Verbose = False
    json: Json = False

    @property
    def prints_text(self) -> bool:
        """Whether results are printed as text."""
        return not (self.quiet or self.json)

    def result(self, text: str, **record: Any) -> None:
        """Print a result.

        Args:
            text: what is printed by default.
            **record: the same as data, for --json; paths and tuples become strings and lists.
        """
        if self.json:
            print(json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str), flush=True)
        elif not self.quiet:
            print(text, flush=True)


MessageOptions: TypeAlias = Annotated[Messages, tyro.conf.arg(name="")]
"""The fields of `Messages` as options of the command itself, without a prefix."""
MESSAGES = Messages()


def complain(command: str, text: str) -> None:
    """Print one line to stderr, which names the command."""
    print(f"ddfa {command}: {one_line(text)}", file=sys.stderr, flush=True)
