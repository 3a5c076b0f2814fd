"""Benchmark results as a terminal table, Markdown, JSON and a chart."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
from rich.table import Table

from ddfa.arrays import Floats
from ddfa.bench.chart import Chart, cumulative_chart, draw_chart
from ddfa.bench.metrics import BIN_NAMES, Summary, summarise
from ddfa.files import make_folder, write_atomically

_TEXTS = ("model", "of", "measure")
JSON_FILE, MARKDOWN_FILE, CHART_FILE = REPORT_FILES = "results.json", "results.md", "curve.png"


@dataclass(frozen=True, eq=False)
class Scores:
    """The errors of one model on one set.

    Attributes:
        model: the bundle's name.
        errors: (m,) of the faces found.
        yaw_deg: (m,) their yaw; NaN where unknown.
        missed: faces not found.
        what: what was measured, if there is more than one measure; for instance "pitch".
    """

    model: str
    errors: Floats
    yaw_deg: Floats
    missed: int = 0
    what: str = ""

    @property
    def summary(self) -> Summary:
        """Means of the errors."""
        return summarise(self.errors, self.yaw_deg)

    @property
    def name(self) -> str:
        """Model and measure."""
        return f"{self.model}, {self.what}" if self.what else self.model


@dataclass(frozen=True)
class Sheet:
    """A table with a title.

    Attributes:
        title: what was measured, on what and how.
        columns: headings.
        rows: cells.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def table(self) -> Table:
        """The table for the terminal."""
        table = Table(title=self.title)
        for name in self.columns:
            text = name in _TEXTS
            table.add_column(name, justify="left" if text else "right", no_wrap=text)
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        """The table as Markdown."""
        lines = [self.columns, tuple("---" for _ in self.columns), *self.rows]
        return f"{self.title}\n\n" + "".join(f"| {' | '.join(_escaped(line))} |\n" for line in lines)


@dataclass(frozen=True)
class Report:
    """The outcome of a benchmark.

    Attributes:
        sheet: the results, one row each.
        record: the results with all digits, for JSON.
        chart: the curves.
        settings: how the benchmark was run, for JSON.
        further: additional tables.
    """

    sheet: Sheet
    record: Sequence[Mapping[str, Any]]
    chart: Chart
    settings: Mapping[str, Any] = field(default_factory=dict)
    further: tuple[Sheet, ...] = ()

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """All tables."""
        return (self.sheet, *self.further)

    def with_further(self, sheet: Sheet, **record: Any) -> "Report":
        """A copy with another table, and with its content for JSON."""
        return replace(self, settings={**self.settings, **record}, further=(*self.further, sheet))

    @staticmethod
    def of_scores(title: str, error: str, scores: Sequence[Scores], settings: Mapping[str, Any]) -> "Report":
        """Report errors by yaw bin, with their cumulative curves.

        Args:
            title: what was measured, on what and how.
            error: name and unit of the error.
            scores: one or more per model.
            settings: how the benchmark was run.

        Returns:
            The report.
        """
        several = any(score.what for score in scores)
        labels = ("model", "of") if several else ("model",)
        averages = ("mean of bins", "±", "plain mean", "±", "missed")
        rows, record = [], []
        for score in scores:
            summary = score.summary
            figures = (*summary.bins, summary.mean, summary.std, summary.plain, summary.plain_std)
            head = (score.model, score.what) if several else (score.model,)
            rows.append((*head, *(number(figure) for figure in figures), str(score.missed)))
            named = {"model": score.model} | ({"of": score.what} if several else {})
            record.append(named | asdict(summary) | {"missed": score.missed})
        chart = cumulative_chart(title, error, {score.name: (score.errors, score.missed) for score in scores})
        sheet = Sheet(title, (*labels, *BIN_NAMES, *averages), rows)
        return Report(sheet, record, chart, {"bins": BIN_NAMES, **settings})

    def as_dict(self) -> dict[str, Any]:
        """Title, settings and results as plain values."""
        content = {"title": self.sheet.title, **self.settings, "results": list(self.record)}
        return {key: _plain(value) for key, value in content.items()}

    def save(self, folder: Path) -> None:
        """Write `results.json`, `results.md` and `curve.png`.

        Raises:
            OutputError: the folder cannot be written.
        """
        make_folder(folder)
        write_atomically(folder / JSON_FILE, (json.dumps(self.as_dict(), indent=2) + "\n").encode())
        write_atomically(folder / MARKDOWN_FILE, "\n".join(sheet.markdown() for sheet in self.sheets).encode())
        encoded = cv2.cvtColor(draw_chart(self.chart), cv2.COLOR_RGB2BGR)
        write_atomically(folder / CHART_FILE, cv2.imencode(".png", encoded)[1].tobytes())


def number(value: float) -> str:
    """Format a number for a table: two decimals, a dash for NaN."""
    return "-" if math.isnan(value) else f"{value:.2f}"


def _escaped(cells: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(cell.replace("|", "\\|") for cell in cells)


def _plain(value: Any) -> Any:
    """Replace NaN by None, since JSON has no NaN."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and math.isnan(value) else value
