"""One person's head with another person's expression, as a textured GLB.

Usage: python examples/expression_transfer.py samples/grace_hopper.jpg samples/astronaut.jpg head.glb
"""

import argparse
from pathlib import Path

import ddfa
from ddfa.export.glb import write_glb
from ddfa.texture.unwrap import unwrap_texture


def main() -> None:
    """Take identity and texture of the first photo, expression of the second."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("person", help="photo of the person")
    parser.add_argument("expression", help="photo of the expression")
    parser.add_argument("output", help=".glb")
    options = parser.parse_args()
    aligner = ddfa.FaceAligner(max_faces=1)
    image = ddfa.read_image(options.person)
    person, other = aligner(image), aligner(options.expression)
    texture = unwrap_texture(image, person)
    write_glb(Path(options.output), person.with_expression(other.expression), texture)
    print(f"wrote {options.output}")


if __name__ == "__main__":
    main()
