"""`ddfa models list | show | verify | import-3ddfa | package`: manage model bundles."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ddfa.errors import ModelError
from ddfa.exit_codes import FAILED, OK
from ddfa.regress.bundle import Bundle
from ddfa.regress.registry import find_bundle, installed, models_folder

_Models = Annotated[tuple[str, ...], tyro.conf.Positional]


def list_models() -> int:
    """List the installed model bundles.

    Returns:
        Exit code 0.
    """
    table = Table("name", "architecture", "parameters", "head", "licence", title="model bundles")
    for name, folder in installed().items():
        try:
            bundle = Bundle.load(folder)
        except ModelError as error:
            table.add_row(escape(name), f"[red]{escape(str(error))}", "", "", "")
            continue
        head = bundle.head if bundle.head_path is None else "original basis"
        cells = (name, bundle.architecture, str(bundle.layout.size), head, bundle.licence)
        table.add_row(*(escape(cell) for cell in cells))
    Console().print(table)
    print(f"Other bundles are searched for in {models_folder()}; set $DDFA_MODELS to use another folder.")
    return OK


def show_model(model: Annotated[str, tyro.conf.Positional]) -> int:
    """Show the card of a bundle as JSON, without the whitening.

    Args:
        model: name or folder of the bundle.

    Returns:
        Exit code 0.
    """
    bundle = find_bundle(model)
    card = {"folder": str(bundle.folder)} | bundle.card()
    del card["whitening"]
    Console().print_json(json.dumps(card))
    return OK


def verify_models(models: _Models = ()) -> int:
    """Check the files of bundles against their SHA-256.

    Args:
        models: names or folders; all installed bundles by default.

    Returns:
        Exit code 0 if all are intact, otherwise 2.
    """
    failed = False
    for model in models or tuple(installed()):
        try:
            find_bundle(model)
            print(f"{model}: intact")
        except ModelError as error:
            failed = True
            print(f"ddfa models verify: {model}: {error}", file=sys.stderr)
    return FAILED if failed else OK


def import_original(
    checkpoint: Path,
    basis: Path,
    whitening: Path,
    output: Path,
    convention: Literal["auto", "v1", "v2"] = "auto",
) -> int:
    """Make a model bundle from files of the original 3DDFA; needs the extra `train`.

    Args:
        checkpoint: V1 `.pth.tar`, V2 `.pth` or V2 `.onnx`.
        basis: V1 `train.configs` folder or V2 `bfm_noneck_v3.pkl`.
        whitening: V1 `param_whitening.pkl` or V2 `param_mean_std_62d_120x120.pkl`.
        output: folder of the new bundle.
        convention: pixel convention; auto chooses that of the checkpoint's version.

    Returns:
        Exit code 0.
    """
    from ddfa.train.convert.import_3ddfa import import_3ddfa

    bundle = import_3ddfa(checkpoint, basis, whitening, output, convention)
    print(f"{bundle.architecture}, {bundle.layout.size} parameters -> {bundle.folder}")
    return OK


def package(
    checkpoint: Annotated[Path, tyro.conf.Positional],
    arch: str,
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    name: str = "",
    training_data: str = "",
) -> int:
    """Make a model bundle from a training checkpoint; needs the extra `train`.

    Args:
        checkpoint: `checkpoint.pt` of a run of `ddfa train`, or weights to start from.
        arch: name of its architecture, for instance repnet_m.
        output: folder of the bundle.
        name: name of the bundle; that of the folder by default.
        training_data: one line for the card.

    Returns:
        Exit code 0.
    """
    from ddfa.train.convert.from_checkpoint import package_checkpoint

    bundle = package_checkpoint(checkpoint, arch, output, name, training_data)
    print(f"{bundle.architecture}, {bundle.layout.size} parameters -> {bundle.folder}")
    return OK
