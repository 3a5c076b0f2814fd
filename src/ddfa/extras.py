"""Optional libraries and the extras of this package that install them."""

from importlib import import_module
from types import ModuleType
from typing import Any, Final

from ddfa.errors import DDFAError

EXTRA_OF: Final = {
    **dict.fromkeys(("torch", "onnx", "openvino", "yaml", "tensorboard"), "train"),
    **{"av": "video", "pyarrow": "batch", "fsspec": "batch", "pandas": "pandas"},
    **dict.fromkeys(
        ("fastapi", "starlette", "pydantic", "uvicorn", "websockets", "multipart", "prometheus_client"), "serve"
    ),
    **{"dlib": "dlib", "pxr": "usd", "c2pa": "c2pa", "ray": "ray", "pillow_heif": "heic"},
}
"""Name of an imported module -> the extra that installs it."""


class MissingExtraError(DDFAError, ModuleNotFoundError):
    """A library is missing that an extra of this package installs; the message is the line to install it."""


def pip_line(extra: str) -> str:
    """The line that installs an extra."""
    return f"pip install 'openddfa[{extra}]'"


def require(module: str) -> Any:
    """Import an optional library.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        found: ModuleType = import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != library:
            raise
        raise MissingExtraError(f"needs {library}: {pip_line(EXTRA_OF[library])}", name=library) from None
    return found
