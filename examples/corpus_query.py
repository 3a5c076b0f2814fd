"""Questions to a corpus: the photos of a folder as a table, and the table as answers.

Usage: python examples/corpus_query.py samples --output outputs/corpus
"""

import argparse
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.dataset as ds


def main() -> None:
    """Run `ddfa batch`, which continues where it stopped, then count."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--output", type=Path, default=Path("outputs/corpus"))
    options = parser.parse_args()
    command = [sys.executable, "-m", "ddfa.cli", "batch", str(options.photos), "-o", str(options.output)]
    subprocess.run(command, check=True)
    faces = ds.dataset(sorted(map(str, options.output.glob("part-*.parquet")))).to_table()
    print(f"{faces.num_rows} rows, columns {', '.join(faces.column_names)}")
    found = faces.filter(pc.field("face").is_valid())
    turn = pc.abs(pc.list_element(found["turn_nod_tilt_deg"], 0))
    print(f"{found.num_rows} faces, {pc.sum(pc.greater(turn, 45)).as_py() or 0} turned by more than 45 degrees")
    print(f"mean quality {pc.mean(found['quality']).as_py():.2f}")


if __name__ == "__main__":
    main()
