"""Print line coverage per package from the JSON report of `make coverage`.

python tools/coverage_by_package.py outputs/coverage.json
"""

import json
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

MODULES = "(modules)"  # directly in ddfa/, such as align.py


def lines_by_package(report: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Add up the modules of each package.

    Args:
        report: content of the JSON report.

    Returns:
        Package below ddfa/ -> lines, covered lines.
    """
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, module in report["files"].items():
        parts = Path(name).parts
        below = parts[len(parts) - parts[::-1].index("ddfa") :]
        package = counts[below[0] if len(below) > 1 else MODULES]
        package[0] += module["summary"]["num_statements"]
        package[1] += module["summary"]["covered_lines"]
    return {name: (lines, covered) for name, (lines, covered) in sorted(counts.items())}


def main(path: Path) -> None:
    """Print the table."""
    counts = lines_by_package(json.loads(path.read_text(encoding="utf-8")))
    table = Table("package")
    for heading in ("lines", "covered", "%"):
        table.add_column(heading, justify="right")
    total = (sum(lines for lines, _ in counts.values()), sum(covered for _, covered in counts.values()))
    for name, (lines, covered) in [*counts.items(), ("total", total)]:
        table.add_row(name, str(lines), str(covered), f"{100 * covered / max(lines, 1):.1f}")
    Console().print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
