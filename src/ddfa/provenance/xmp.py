"""XMP metadata of synthetic images: the IPTC digital source type, embedded in JPEG and PNG files.

Vocabulary: https://cv.iptc.org/newscodes/digitalsourcetype/. Embedding: Adobe's "XMP Specification Part 3".
"""

import struct
import zlib
from typing import Final

from ddfa import __version__
from ddfa.errors import OutputError

DIGITAL_SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
TOOL: Final = f"OpenDDFA {__version__}"
STATEMENT: Final = "Synthetic: software replaced or animated a face in this picture; it does not show a real event."

VIDEO_TAGS: Final = {"comment": f"{STATEMENT} DigitalSourceType: {DIGITAL_SOURCE_TYPE}", "encoder": TOOL}

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png")
_JPEG_NAMESPACE: Final = b"http://ns.adobe.com/xap/1.0/\0"
_PNG_KEYWORD: Final = b"XML:com.adobe.xmp"
_PNG_START: Final = b"\x89PNG\r\n\x1a\n"


def xmp_packet() -> bytes:
    """The XMP packet that marks an image as synthetic, UTF-8."""
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    Iptc4xmpExt:DigitalSourceType="{DIGITAL_SOURCE_TYPE}"
    xmp:CreatorTool="{TOOL}">
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{STATEMENT}</rdf:li></rdf:Alt></dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""".encode()


def with_provenance(content: bytes) -> bytes:
    """Embed the packet in an image file that has none.

    Args:
        content: bytes of a JPEG or PNG file.

    Returns:
        Bytes of the same file with an additional APP1 segment or iTXt chunk; the pixels are unchanged.

    Raises:
        OutputError: the file is neither JPEG nor PNG.
    """
    if content.startswith(b"\xff\xd8"):
        return _in_jpeg(content)
    if content.startswith(_PNG_START):
        return _in_png(content)
    raise OutputError("provenance can be written into JPEG and PNG only: name the output .jpg or .png")


def _in_jpeg(content: bytes) -> bytes:
    payload = _JPEG_NAMESPACE + xmp_packet()
    segment = b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload
    position = 2
    if content[2:4] == b"\xff\xe0":  # the JFIF segment must come first
        position += 2 + struct.unpack_from(">H", content, 4)[0]
    return content[:position] + segment + content[position:]


def _in_png(content: bytes) -> bytes:
    data = _PNG_KEYWORD + b"\0" * 5 + xmp_packet()  # uncompressed, no language tag, no translated keyword
    chunk = b"iTXt" + data
    framed = struct.pack(">I", len(data)) + chunk + struct.pack(">I", zlib.crc32(chunk))
    position = len(_PNG_START) + 25  # after IHDR, which must come first
    return content[:position] + framed + content[position:]
