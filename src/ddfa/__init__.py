"""OpenDDFA: from a photo to a 3D face.

Public names are imported on first use, so that `import ddfa` is fast.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.2.0.dev0"

if TYPE_CHECKING:
    from ddfa.align import FaceAligner
    from ddfa.errors import DDFAError
    from ddfa.faces import Faces
    from ddfa.head.model import HeadModel
    from ddfa.images import read_image, write_image
    from ddfa.regress.bundle import Bundle

_HOME = {
    "Bundle": "ddfa.regress.bundle",
    "DDFAError": "ddfa.errors",
    "FaceAligner": "ddfa.align",
    "Faces": "ddfa.faces",
    "HeadModel": "ddfa.head.model",
    "read_image": "ddfa.images",
    "write_image": "ddfa.images",
}

__all__ = [
    "Bundle",
    "DDFAError",
    "FaceAligner",
    "Faces",
    "HeadModel",
    "__version__",
    "read_image",
    "write_image",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module on first use (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'ddfa' has no attribute '{name}'")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names, imported or not."""
    return __all__
