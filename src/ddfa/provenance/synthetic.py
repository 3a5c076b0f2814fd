"""Writes synthetic images: the only way to turn a `SyntheticImage` into a file.

Every file carries XMP metadata with the IPTC digital source type; a visible label and a C2PA signature are added on
request. Videos are written by `ddfa.provenance.video`.
"""

from pathlib import Path

from ddfa.errors import OutputError
from ddfa.files import write_atomically
from ddfa.images import SyntheticImage, encode_image
from ddfa.provenance.c2pa import C2paSigner
from ddfa.provenance.watermark import labelled
from ddfa.provenance.xmp import IMAGE_SUFFIXES, with_provenance


def write_synthetic(
    path: str | Path, image: SyntheticImage, *, label: bool = False, signer: C2paSigner | None = None
) -> None:
    """Write a synthetic image with its provenance, as a whole or not at all.

    Args:
        path: the file, `.jpg` or `.png`.
        image: the synthetic image.
        label: draw "SYNTHETIC FACE" into the lower left corner.
        signer: adds a signed C2PA manifest; None for no signature.

    Raises:
        OutputError: the format cannot carry XMP, the file cannot be signed or cannot be written.
    """
    path = Path(path)
    check_image_path(path)
    write_atomically(path, encode_synthetic(image, path.suffix, label=label, signer=signer))


def encode_synthetic(
    image: SyntheticImage, suffix: str, *, label: bool = False, signer: C2paSigner | None = None
) -> bytes:
    """The bytes that `write_synthetic` writes.

    Args:
        image: the synthetic image.
        suffix: of the format, `.jpg` or `.png`.
        label: draw "SYNTHETIC FACE" into the lower left corner.
        signer: adds a signed C2PA manifest; None for no signature.

    Raises:
        OutputError: the format cannot carry XMP, or the file cannot be signed.
    """
    pixels = labelled(image.unmarked_pixels) if label else image.unmarked_pixels
    content = with_provenance(encode_image(Path(f"image{suffix}"), pixels))
    return signer.sign(content, suffix) if signer else content


def check_image_path(path: Path) -> None:
    """Refuse a file name whose format cannot carry provenance, before any work is done.

    Raises:
        OutputError: the suffix names neither JPEG nor PNG.
    """
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        raise OutputError(f"cannot write {path}: only JPEG and PNG carry provenance metadata, name it .jpg or .png")
