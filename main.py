"""The command line of original 3DDFA V1, implemented by OpenDDFA; see docs/outputs.md and `ddfa align`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "src"))  # so that a clone works without installation

try:
    from ddfa.compat.v1_cli import main
except ModuleNotFoundError as error:
    print(f"main.py: {error.name} is not installed: `pip install .` first, or `make demo`", file=sys.stderr)
    sys.exit(2)

if __name__ == "__main__":
    sys.exit(main())
