"""`ddfa models list | show | verify | import-3ddfa | package`: manage model bundles."""

import json
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ddfa.commands.messages import MESSAGES, MessageOptions, Messages, complain
from ddfa.errors import ModelError
from ddfa.exit_codes import FAILED, OK
from ddfa.options import Folder
from ddfa.progress import Bar
from ddfa.regress.bundle import Bundle
from ddfa.regress.registry import find_bundle, installed, models_folder

_Input = Annotated[Path, tyro.conf.arg(metavar="FILE|DIR")]
_Models = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="BUNDLE ...")]


def list_models(messages: MessageOptions = MESSAGES) -> int:
    """List the installed model bundles.

    Args:
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    table = Table("name", "architecture", "parameters", "head", "licence", title="model bundles")
    rows: list[dict[str, str]] = []
    for name, folder in installed().items():
        try:
            bundle = Bundle.load(folder)
        except ModelError as error:
            table.add_row(escape(name), f"[red]{escape(str(error))}", "", "", "")
            rows.append({"name": name, "error": str(error)})
            continue
        head = bundle.head if bundle.head_path is None else "original basis"
        cells = (name, bundle.architecture, str(bundle.layout.size), head, bundle.licence)
        table.add_row(*(escape(cell) for cell in cells))
        rows.append(dict(zip(("name", "architecture", "parameters", "head", "licence"), cells, strict=True)))
    if messages.json:
        for row in rows:
            messages.result("", **row)
    elif not messages.quiet:
        Console().print(table)
        print(f"Other bundles are searched for in {models_folder()}; set $DDFA_MODELS to use another folder.")
    return OK


def show_model(model: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="BUNDLE")]) -> int:
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


def verify_models(models: _Models = (), messages: MessageOptions = MESSAGES) -> int:
    """Check the files of bundles against their SHA-256.

    Args:
        models: names or folders; all installed bundles by default.
        messages: what is printed.

    Returns:
        Exit code 0 if all are intact, otherwise 2.
    """
    failed = False
    for model in models or tuple(installed()):
        try:
            find_bundle(model)
            messages.result(f"{model}: intact", model=model, intact=True)
        except ModelError as error:
            failed = True
            if messages.json:
                messages.result("", model=model, intact=False)
            complain("models verify", f"{model}: {error}")
    return FAILED if failed else OK


def import_original(
    checkpoint: _Input,
    basis: _Input,
    whitening: _Input,
    output: Folder,
    convention: Literal["auto", "v1", "v2"] = "auto",
    messages: MessageOptions = MESSAGES,
) -> int:
    """Make a model bundle from files of the original 3DDFA; needs the extra `train`.

    Args:
        checkpoint: V1 `.pth.tar`, V2 `.pth` or V2 `.onnx`.
        basis: V1 `train.configs` folder or V2 `bfm_noneck_v3.pkl`.
        whitening: V1 `param_whitening.pkl` or V2 `param_mean_std_62d_120x120.pkl`.
        output: folder of the new bundle.
        convention: pixel convention; auto chooses that of the checkpoint's version.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    from ddfa.train.convert.import_3ddfa import import_3ddfa

    with Bar("importing"):
        bundle = import_3ddfa(checkpoint, basis, whitening, output, convention)
    _made(bundle, messages)
    return OK


def package(
    checkpoint: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE")],
    arch: Annotated[str, tyro.conf.arg(metavar="ARCH")],
    output: Folder,
    name: Annotated[str, tyro.conf.arg(metavar="NAME")] = "",
    training_data: Annotated[str, tyro.conf.arg(metavar="TEXT")] = "",
    messages: MessageOptions = MESSAGES,
) -> int:
    """Make a model bundle from a training checkpoint; needs the extra `train`.

    Args:
        checkpoint: `checkpoint.pt` of a run of `ddfa train`, or weights to start from.
        arch: name of its architecture, for instance repnet_m.
        output: folder of the bundle.
        name: name of the bundle; that of the folder by default.
        training_data: one line for the card.
        messages: what is printed.

    Returns:
        Exit code 0.
    """
    from ddfa.train.convert.from_checkpoint import package_checkpoint

    with Bar("packaging"):
        bundle = package_checkpoint(checkpoint, arch, output, name, training_data)
    _made(bundle, messages)
    return OK


def _made(bundle: Bundle, messages: Messages) -> None:
    text = f"{bundle.architecture}, {bundle.layout.size} parameters -> {bundle.folder}"
    messages.result(text, name=bundle.name, architecture=bundle.architecture, folder=str(bundle.folder))
