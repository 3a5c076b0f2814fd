"""Model bundles by name: those that ship with the package and those in the user's models folder."""

import os
from pathlib import Path

from ddfa.errors import ModelError
from ddfa.regress.bundle import CARD_FILE, Bundle

ASSETS = Path(__file__).parent / "assets"
DEFAULT = "default"


def models_folder() -> Path:
    """Return the folder of the user's bundles: `$DDFA_MODELS`, else `ddfa/models` in the user's data folder."""
    if configured := os.environ.get("DDFA_MODELS"):
        return Path(configured)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "ddfa" / "models"


def installed() -> dict[str, Path]:
    """List the installed bundles, those that ship with the package first.

    Returns:
        Name -> folder.
    """
    return {
        folder.name: folder
        for parent in (ASSETS, models_folder())
        if parent.is_dir()
        for folder in sorted(parent.iterdir())
        if (folder / CARD_FILE).is_file()
    }


def find_bundle(model: str | Path | None = None) -> Bundle:
    """Load a bundle by folder or by name.

    Args:
        model: None for the default; a folder; or the name of a bundle in `installed`.

    Returns:
        The bundle, verified.

    Raises:
        ModelError: there is no such bundle, or it is damaged.
    """
    if model is not None and Path(model).is_dir():
        return Bundle.load(model)
    known = installed()
    name = DEFAULT if model is None else str(model)
    if name in known:
        return Bundle.load(known[name])
    if model is None:
        raise ModelError("this installation has no default weights: pass the folder of a model bundle instead")
    choices = ", ".join(known) or "none"
    raise ModelError(f"no model bundle '{model}': use a folder or one of the installed bundles ({choices})")
