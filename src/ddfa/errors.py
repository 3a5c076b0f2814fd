"""Errors a user can act on: each message is one line and names what to do."""


class DDFAError(Exception):
    """Base of every error this package raises on purpose."""


class ImageError(DDFAError):
    """An image cannot be read or has the wrong shape or type."""


class VideoError(DDFAError):
    """A video, a folder of pictures or a camera cannot be read."""


class ModelError(DDFAError):
    """A head model, a model bundle or one of their files is missing, damaged or does not fit."""


class DetectorError(DDFAError):
    """A detector, its weights or the boxes it was given cannot be used."""


class OutputError(DDFAError):
    """A result cannot be written."""


class DataError(DDFAError):
    """A training or evaluation data set is missing, damaged or inconsistent."""


def reason(error: Exception) -> str:
    """Return the first line of a foreign exception's message, to quote it in one of ours."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
