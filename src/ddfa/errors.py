"""Errors that users can act on: each message is one line and names the fix."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_LONGEST: Final = 200  # characters of a third-party message


class DDFAError(Exception):
    """Base of every error this package raises on purpose."""


class ImageError(DDFAError):
    """An image cannot be read or has the wrong shape or type."""


class ImageTooLargeError(ImageError):
    """An image has more pixels than allowed."""


class NoFaceError(DDFAError):
    """A photo or a video shows no face, or not the face that was asked for."""


class UnsuitableError(NoFaceError):
    """A face cannot replace another one with the quality that was asked for."""


class VideoError(DDFAError):
    """A video, a folder of images or a camera cannot be read."""


class ModelError(DDFAError):
    """A head model, a model bundle or one of their files is missing, damaged or does not fit."""


class DetectorError(DDFAError):
    """A detector, its weights or given boxes cannot be used."""


class OutputError(DDFAError):
    """A result cannot be written."""


class DiskFullError(OutputError):
    """There is no room left for a result: others cannot be written either."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: whatever cleans up after Ctrl-C does so after it, too."""


class DataError(DDFAError):
    """A training or evaluation data set is missing, damaged or inconsistent."""


def one_line(text: str) -> str:
    """A text for the terminal: on one line, control characters escaped, so that no file can move the cursor."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in words)


def reason(error: BaseException) -> str:
    """Beginning of a third-party exception's message, for use in our own messages."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    first = one_line(next(iter(str(text).splitlines()), "") or type(error).__name__)
    return first if len(first) <= _LONGEST else first[:_LONGEST] + "..."


@contextmanager
def reading(name: object, error: type[DDFAError], what: str, fix: str) -> Iterator[None]:
    """The one exit for errors of a reader: whatever a library raises on a bad file becomes our own error.

        with reading(path, DataError, "not a table of labels", "make it again"):
            labels = np.load(path)

    Args:
        name: the file.
        error: class of the error to raise.
        what: completes the sentence "FILE is ...".
        fix: what the user can do.

    Raises:
        DDFAError: of that class, in place of any exception but errors of this package and missing libraries.
    """
    try:
        yield
    except (DDFAError, ImportError):
        raise
    except Exception as cause:  # MemoryError and RecursionError included
        raise error(f"{one_line(str(name))} is {what} ({reason(cause)}): {fix}") from None
