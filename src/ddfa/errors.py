"""Errors that users can act on: each message is one line and names the fix."""


class DDFAError(Exception):
    """Base of every error this package raises on purpose."""


class ImageError(DDFAError):
    """An image cannot be read or has the wrong shape or type."""


class NoFaceError(DDFAError):
    """A photo or a video shows no face, or not the face that was asked for."""


class VideoError(DDFAError):
    """A video, a folder of images or a camera cannot be read."""


class ModelError(DDFAError):
    """A head model, a model bundle or one of their files is missing, damaged or does not fit."""


class DetectorError(DDFAError):
    """A detector, its weights or given boxes cannot be used."""


class OutputError(DDFAError):
    """A result cannot be written."""


class DataError(DDFAError):
    """A training or evaluation data set is missing, damaged or inconsistent."""


def reason(error: Exception) -> str:
    """First line of a third-party exception's message, for use in our own messages."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__
