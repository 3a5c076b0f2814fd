"""Exit codes of every `ddfa` command."""

from typing import Final

OK: Final = 0
NOTHING_FOUND: Final = 1  # no error, but no face was found, or none of the quality that was asked for
FAILED: Final = 2  # something could not be read, computed or written, or the arguments are invalid
INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it
TERMINATED: Final = 143  # 128 + SIGTERM
