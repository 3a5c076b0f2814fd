"""Signed provenance (C2PA, "Content Credentials") with c2pa-python (extra `c2pa`)."""

import io
import json
from pathlib import Path
from typing import Final

from ddfa import __version__
from ddfa.errors import OutputError, reason
from ddfa.files import read_file
from ddfa.provenance.xmp import DIGITAL_SOURCE_TYPE, STATEMENT

_MIME: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
}
_ALGORITHMS: Final = (
    "es256",
    "ps256",
    "ed25519",
    "es384",
    "es512",
)  # tried in order: the library determines which one fits the key


class C2paSigner:
    """Signs files with the user's own certificate.

    Args:
        certificate: PEM file with the certificate chain, leaf first.
        key: PEM file (PKCS#8) of the private key.

    Raises:
        OutputError: a file cannot be read, or certificate and key do not match.
        ModuleNotFoundError: the extra `c2pa` is not installed.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        import c2pa

        self._texts = read_file(certificate, OutputError), read_file(key, OutputError)
        last = ""
        for algorithm in _ALGORITHMS:
            try:
                self._signer(algorithm).close()
            except c2pa.C2paError as error:
                last = reason(error)
                continue
            self._algorithm = algorithm
            return
        raise OutputError(
            f"{certificate} and {key} cannot sign ({last}): use a certificate chain and its key in PEM format"
        )

    def sign(self, content: bytes, suffix: str) -> bytes:
        """Embed a signed manifest in a file.

        Args:
            content: bytes of the file.
            suffix: file name suffix, which determines the format.

        Returns:
            Bytes of the file with a signed manifest that declares it synthetic.

        Raises:
            OutputError: the format cannot be signed, or the certificate is not meant for C2PA.
        """
        import c2pa

        if suffix.lower() not in _MIME:
            raise OutputError(f"cannot sign a {suffix} file: name the output .jpg, .png or .mp4")
        action = {"action": "c2pa.created", "digitalSourceType": DIGITAL_SOURCE_TYPE, "description": STATEMENT}
        manifest = {
            "claim_generator_info": [{"name": "OpenDDFA", "version": __version__}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": [action]}}],
        }
        signed = io.BytesIO()
        try:
            with c2pa.Builder(json.dumps(manifest)) as builder, self._signer(self._algorithm) as signer:
                builder.sign(signer, _MIME[suffix.lower()], io.BytesIO(content), signed)
        except c2pa.C2paError as error:
            raise OutputError(f"cannot sign ({reason(error)}): use a certificate for signing C2PA claims") from error
        return signed.getvalue()

    def _signer(self, algorithm: str):  # type: ignore[no-untyped-def]  # the library is untyped
        import c2pa

        certificate, key = self._texts
        return c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, certificate, key, None))
