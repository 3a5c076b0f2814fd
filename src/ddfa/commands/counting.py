"""Numbers of things in sentences."""


def counted(number: int, thing: str) -> str:
    """A number of things: "1 frame", "2 frames"."""
    return f"{number} {thing}" + "s" * (number != 1)
