"""What the benchmark commands share: the models to measure, the protocol, progress and output."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final

import tyro
from rich.console import Console
from rich.progress import track

from ddfa.align import FaceAligner
from ddfa.bench.predict import Predictions, Watch, predict
from ddfa.bench.report import Report, Scores
from ddfa.bench.sets import AnnotatedSet
from ddfa.detect.yunet import YuNet
from ddfa.exit_codes import OK
from ddfa.regress.registry import DEFAULT, find_bundle

# As for the figures in docs/benchmarks.md: in a photo cropped to one face, even a box with a low score is that face.
_DETECTION_THRESHOLD: Final = 0.5
_LOG_COLUMNS: Final = 120


@dataclass(frozen=True)
class Models:
    """Which models are measured, and where the results go.

    Attributes:
        models: names or folders of bundles.
        output: also write results.json, results.md and curve.png into this folder.
        threads: CPU threads of the network; all by default.
        regions: refine the blendshapes with the bundles' region networks.
    """

    models: Annotated[tuple[str, ...], tyro.conf.Positional] = (DEFAULT,)
    output: Path | None = None
    threads: int | None = None
    regions: bool = True

    def aligners(self) -> list[FaceAligner]:
        """Load the models; they share a detector with the benchmarks' threshold."""
        detector = YuNet(score_threshold=_DETECTION_THRESHOLD)
        bundles = [find_bundle(model) for model in self.models]
        names = [bundle.name for bundle in bundles]
        if len(set(names)) < len(set(self.models)):  # bundles of several training runs often have the same name
            bundles = [replace(bundle, name=model) for bundle, model in zip(bundles, self.models, strict=True)]
        # Original bundles are measured by their own protocol, which does not turn faces.
        turned = [not bundle.convention.is_original for bundle in bundles]
        return [
            FaceAligner(bundle, detector, self.threads, regions=self.regions, min_quality=0, any_roll=any_roll)
            for bundle, any_roll in zip(bundles, turned, strict=True)
        ]

    def finish(self, report: Report) -> int:
        """Print a report and write its files; returns exit code 0."""
        console = Console()
        if not console.is_terminal:  # a table cut to 80 columns is of no use in a log file
            console = Console(width=_LOG_COLUMNS)
        for sheet in report.sheets:
            console.print(sheet.table())
        if self.output is not None:
            report.save(self.output)
        return OK


@dataclass(frozen=True)
class Protocol(Models):
    """How faces are cropped and scored.

    Attributes:
        detected: crop around detected faces and regress twice, instead of cropping around the true landmarks and
            regressing once.
        aligned: score after alignment to the ground truth: scale and translation of landmarks, one common rotation of
            poses.
    """

    detected: bool = False
    aligned: bool = False

    def predict(self, data: AnnotatedSet) -> list[Predictions]:
        """Run all models on a set."""
        return [predict(a, data, detected=self.detected, watch=progress(a.bundle.name)) for a in self.aligners()]

    def report(self, error: str, data: str, faces: int, scores: Sequence[Scores], **settings: Any) -> Report:
        """Make a report of scores.

        Args:
            error: name and unit of the error.
            data: name of the set.
            faces: how many faces it has.
            scores: of all models.
            settings: added to those of the protocol.
        """
        how = ("detected, two steps" if self.detected else "RoI from true landmarks") + ", aligned" * self.aligned
        known = {"data": data, "faces": faces, "detected": self.detected, "aligned": self.aligned}
        return Report.of_scores(f"{error} on {data} ({faces} faces; {how})", error, scores, known | settings)


# The fields become options of the command itself, without a prefix.
ModelOptions = Annotated[Models, tyro.conf.arg(name="")]
ProtocolOptions = Annotated[Protocol, tyro.conf.arg(name="")]


def progress(description: str) -> Watch:
    """A progress bar on stderr."""
    return partial(track, description=description, console=Console(stderr=True), transient=True)
