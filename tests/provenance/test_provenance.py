"""XMP metadata, visible label and C2PA signature of synthetic images."""

import datetime
import io
from pathlib import Path

import numpy as np
import pytest

from ddfa.errors import OutputError
from ddfa.images import encode_image
from ddfa.provenance.c2pa import C2paSigner
from ddfa.provenance.watermark import labelled
from ddfa.provenance.xmp import DIGITAL_SOURCE_TYPE, with_provenance


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_pillow_reads_it_and_pixels_stay(picture: np.ndarray, suffix: str) -> None:
    image = pytest.importorskip("PIL.Image")
    plain = encode_image(Path("a" + suffix), picture)
    marked = with_provenance(plain)
    before, after = image.open(io.BytesIO(plain)), image.open(io.BytesIO(marked))
    assert np.array_equal(np.asarray(before), np.asarray(after))
    after.load()
    packet = after.info.get("xmp") or after.info.get("XML:com.adobe.xmp").encode()
    assert f'Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"'.encode() in packet
    assert "xmp" not in before.info and "XML:com.adobe.xmp" not in before.info


def test_the_packet_is_xml(picture: np.ndarray) -> None:
    from xml.etree import ElementTree

    content = with_provenance(encode_image(Path("a.png"), picture))
    start, end = content.index(b"<x:xmpmeta"), content.index(b"</x:xmpmeta>")
    root = ElementTree.fromstring(content[start : end + len(b"</x:xmpmeta>")])
    texts = [value for element in root.iter() for value in element.attrib.values()]
    assert DIGITAL_SOURCE_TYPE in texts


def test_other_formats_are_refused(picture: np.ndarray) -> None:
    with pytest.raises(OutputError, match=r"\.jpg or \.png"):
        with_provenance(encode_image(Path("a.bmp"), picture))


@pytest.mark.parametrize("size", [(20, 30), (300, 200), (1200, 1600)])
def test_the_label_is_in_the_lower_left_corner(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 128, np.uint8)
    result = labelled(image)
    changed = (result != 128).any(axis=2)
    assert changed.any() and (result[changed] > 200).any() and (image == 128).all()
    assert not changed[: size[0] // 2].any()


def _certificates(folder: Path) -> tuple[Path, Path]:
    """A certificate authority of our own and a certificate it gave: PEM chain and key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def name(common: str):
        attributes = ((x509.NameOID.COMMON_NAME, common), (x509.NameOID.ORGANIZATION_NAME, "Test"))
        return x509.Name([x509.NameAttribute(*attribute) for attribute in attributes])

    now = datetime.datetime.now(datetime.UTC)
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def build(subject, public, issuer, authority: bool):
        use = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=9))
            .add_extension(x509.BasicConstraints(authority, None), True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not authority,
                    key_cert_sign=authority,
                    crl_sign=authority,
                    decipher_only=False,
                    **use,
                ),
                True,
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False)
        )
        if not authority:
            purpose = x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.EMAIL_PROTECTION])
            builder = builder.add_extension(purpose, True)
        return builder.sign(root_key, hashes.SHA256())

    root = build(name("Root"), root_key.public_key(), name("Root"), True)
    leaf = build(name("Leaf"), key.public_key(), name("Root"), False)
    pem = serialization.Encoding.PEM
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(leaf.public_bytes(pem) + root.public_bytes(pem))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return chain, secret


def test_signed_pictures_hold_the_statement(picture: np.ndarray, tmp_path: Path) -> None:
    c2pa = pytest.importorskip("c2pa", reason="needs the extra `c2pa`")
    signer = C2paSigner(*_certificates(tmp_path))
    signed = signer.sign(with_provenance(encode_image(Path("a.jpg"), picture)), ".jpg")
    with c2pa.Reader("image/jpeg", io.BytesIO(signed)) as reader:
        assert DIGITAL_SOURCE_TYPE in reader.json()
    assert DIGITAL_SOURCE_TYPE.encode() in signed


def test_certificates_that_do_not_fit_are_named(tmp_path: Path) -> None:
    pytest.importorskip("c2pa", reason="needs the extra `c2pa`")
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    with pytest.raises(OutputError, match=r"wrong\.pem"):
        C2paSigner(wrong, wrong)
    with pytest.raises(OutputError, match="does not exist"):
        C2paSigner(tmp_path / "missing.pem", wrong)
