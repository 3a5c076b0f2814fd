"""Counts in messages."""


def counted(number: int, thing: str) -> str:
    """Format a count: "1 frame", "2 frames"."""
    return f"{number} {thing}" + "s" * (number != 1)
