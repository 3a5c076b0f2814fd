"""What the benchmark commands share: the models to measure, the protocol, progress and output."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, TypeAlias

import tyro
from rich.console import Console

from ddfa.align import FaceAligner
from ddfa.bench.predict import Predictions, Watch, predict
from ddfa.bench.report import REPORT_FILES, Report, Scores
from ddfa.bench.sets import AnnotatedSet
from ddfa.commands.messages import MESSAGES, MessageOptions
from ddfa.detect.yunet import YuNet
from ddfa.exit_codes import OK
from ddfa.files import check_existing
from ddfa.options import MaybeFolder, Overwrite, Regions, Threads
from ddfa.progress import track
from ddfa.regress.registry import DEFAULT, find_bundle

# As for the figures in docs/benchmarks.md: in a photo cropped to one face, even a box with a low score is that face.
_DETECTION_THRESHOLD: Final = 0.5
_LOG_COLUMNS: Final = 120
Detected: TypeAlias = Annotated[
    bool,
    tyro.conf.arg(
        help="crop around detected faces and regress twice, instead of cropping around the true landmarks and "
        "regressing once."
    ),
]


@dataclass(frozen=True)
class Models:
    """Which models are measured, and where the results go.

    Attributes:
        models: names or folders of bundles.
        output: also write results.json, results.md and curve.png into this folder.
        threads: see `ddfa.options.Threads`.
        regions: see `ddfa.options.Regions`.
        overwrite: see `ddfa.options.Overwrite`.
        messages: what is printed.
    """

    models: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="BUNDLE ...")] = (DEFAULT,)
    output: MaybeFolder = None
    threads: Threads = None
    regions: Regions = True
    overwrite: Overwrite = True
    messages: MessageOptions = MESSAGES

    def aligners(self) -> list[FaceAligner]:
        """Load the models; they share a detector with the benchmarks' threshold."""
        self.check_output()
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

    def check_output(self) -> None:
        """Refuse to replace a report, before anything is measured, see `check_existing`."""
        if self.output is not None:
            check_existing(self.overwrite, [self.output / name for name in REPORT_FILES])

    def finish(self, report: Report) -> int:
        """Print a report and write its files; returns exit code 0."""
        if self.messages.json:
            self.messages.result("", **report.as_dict())
        elif not self.messages.quiet:
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
        detected: see `Detected`.
        aligned: score after alignment to the ground truth: scale and translation of landmarks, one common rotation of
            poses.
    """

    detected: Detected = False
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
    return lambda items: track(items, description)
