"""Provenance of synthetic images and videos, and the only functions that write them.

`write_synthetic` and `encode_synthetic` write images, `ddfa.provenance.video.SyntheticVideoWriter` writes videos. They
add metadata, on request a visible label, and a C2PA signature where a signer is given.
"""

from ddfa.images import SyntheticImage
from ddfa.provenance.synthetic import check_image_path, encode_synthetic, write_synthetic

__all__ = ["SyntheticImage", "check_image_path", "encode_synthetic", "write_synthetic"]
