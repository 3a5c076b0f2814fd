"""Speed of regression on a GPU, compared with the setting of the original 3DDFA in the same run.

    python benchmarks/gpu.py [--batch 128] [--arch repnet_xs] [--weights training/repnet.pt] [--json FILE]

Every row processes the same batch; rows are interleaved and timed with the device's clock. "Original" is the network of
3DDFA in eager FP32, for which its authors state 0.27 ms per image at batch 128 on a TITAN X. `px` is the mean
displacement of the landmarks (crop px) relative to our network in FP32, which shows that a fast variant is correct.
"""

import copy
import json
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnxruntime as ort
import torch
import tyro
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor, nn

from ddfa.detect import default_detector
from ddfa.errors import reason
from ddfa.files import write_atomically
from ddfa.geometry.roi import FITTED_ENLARGEMENT, crop_matrix, roi_from_boxes
from ddfa.head.model import HeadModel
from ddfa.images import read_image
from ddfa.train.convert.onnx_export import export_onnx
from ddfa.train.losses import HeadPoints
from ddfa.train.macs import count_macs
from ddfa.train.networks import Network, create, pooling_of
from ddfa.train.state import averaged_tensors, load_checkpoint, load_matching, whitening_of

ORIGINAL_MS = 0.27  # per image, 3DDFA's README
ORIGINAL_PARAMS = 62
SIZE = 120  # px, side of the crops
PHOTO = Path("samples/astronaut.jpg")
Work = Callable[[], Any]


@dataclass
class Row:
    """One variant of the computation.

    Attributes:
        name: description of the variant.
        make: prepares it; the result runs it once for the whole batch.
        marks: maps its output to landmarks (n, 68, 3) in crop px; None if they are not those of our network.
        work: the prepared computation.
        milliseconds: time of one call, by round.
    """

    name: str
    make: Callable[[], Work]
    marks: Callable[[Any], Tensor] | None = None
    work: Work = tuple
    milliseconds: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        """Milliseconds of one call."""
        return float(np.median(self.milliseconds))


class Decoder(nn.Module):
    """Whitened parameters (n, P) to points (n, K, 3) in crop px, y up.

    Args:
        points: of the head.
        mean: (P,) of the whitening.
        std: (P,) of the whitening.
    """

    def __init__(self, points: HeadPoints, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.count = len(points.mean)
        for name, value in (("offset", points.mean.reshape(-1)), ("bases", points.bases.flatten(1))):
            self.register_buffer(name, value)
        self.register_buffer("mean", mean)
        self.register_buffer("std", std)

    def forward(self, params: Tensor) -> Tensor:
        """Decode in FP32: positions need its precision."""
        raw = params.float() * self.std + self.mean
        pose = raw[:, :12].view(-1, 3, 4)
        points = torch.addmm(self.offset, raw[:, 12:], self.bases).view(-1, self.count, 3)
        return torch.baddbmm(pose[:, None, :, 3], points, pose[:, :, :3].transpose(1, 2))


class Cropper(nn.Module):
    """Normalised bilinear crops from uint8 photos: one gather, no float copy of the photos.

    For RoIs less than twice the crop's side, because it does not average; black outside.
    """

    def forward(self, photos: Tensor, affine: Tensor) -> Tensor:
        """Cut one face out of every photo.

        Args:
            photos: (n, H, W, 3) uint8.
            affine: (n, 4) zoom x, zoom y, shift x, shift y from crop px to photo px.

        Returns:
            (n, 3, S, S) float16, (v - 127.5) / 128.
        """
        n, height, width, _ = photos.shape
        steps = torch.arange(SIZE, device=photos.device, dtype=torch.float32)
        x = (affine[:, 0:1] * steps + affine[:, 2:3])[:, None, :]
        y = (affine[:, 1:2] * steps + affine[:, 3:4])[:, :, None]
        left, top = x.floor(), y.floor()
        right_share, lower_share = (x - left)[..., None], (y - top)[..., None]
        number = torch.arange(n, device=photos.device)[:, None, None]

        def at(column: Tensor, row: Tensor) -> Tensor:
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            values = photos[number, row.clamp(0, height - 1).long(), column.clamp(0, width - 1).long()]
            return values.float() * inside[..., None]

        upper = at(left, top) * (1 - right_share) + at(left + 1, top) * right_share
        lower = at(left, top + 1) * (1 - right_share) + at(left + 1, top + 1) * right_share
        crop = upper * (1 - lower_share) + lower * lower_share
        return ((crop - 127.5) / 128).half().permute(0, 3, 1, 2)


def graphed(work: Work, device: torch.device) -> Work:
    """Record the computation once as a CUDA graph, which is replayed with one launch."""
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        for _ in range(3):
            work()
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = work()

    def replay() -> Any:
        graph.replay()
        return result

    return replay


def clock(work: Work, repeats: int) -> float:
    """Milliseconds of one call, measured with the device's clock."""
    began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    began.record()
    for _ in range(repeats):
        work()
    ended.record()
    torch.cuda.synchronize()
    return began.elapsed_time(ended) / repeats


def moved_bytes(network: nn.Module, batch: int, item: int) -> int:
    """Bytes that the layers read and write for a batch, if every layer reads from and writes to memory once."""
    total = sum(parameter.numel() * item for parameter in network.parameters())

    def count(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        total += batch * item * (inputs[0][0].numel() + output[0].numel())

    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    device = next(network.parameters())
    network(torch.zeros(1, 3, SIZE, SIZE, device=device.device, dtype=device.dtype))
    for hook in hooks:
        hook.remove()
    return total


def ceilings(device: torch.device) -> tuple[float, float]:
    """Peak rates of the device: FLOP/s of FP16 matrix products on random data, bytes/s of copies."""
    a, b = (torch.randn(8192, 8192, device=device, dtype=torch.float16) for _ in range(2))
    source = torch.empty(2**30, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    clock(lambda: a @ b, 3)
    flops = 2 * 8192**3 / (clock(lambda: a @ b, 10) / 1e3)
    clock(lambda: target.copy_(source), 2)
    return flops, 2 * 2**30 / (clock(lambda: target.copy_(source), 10) / 1e3)


@torch.inference_mode()
def main(
    batch: Annotated[int, tyro.conf.arg(metavar="N")] = 128,
    arch: str = "repnet_xs",
    weights: Path = Path("training/repnet.pt"),
    rounds: int = 9,
    json_file: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None,
) -> None:
    """Time every available variant of regression on a GPU.

    Args:
        batch: faces per batch.
        arch: our network.
        weights: its checkpoint.
        rounds: number of measurements per row.
        json_file: also receives the results as JSON.
    """
    if not torch.cuda.is_available():
        raise SystemExit("benchmarks/gpu.py: no CUDA device here: run it on a machine with an NVIDIA GPU")
    device = torch.device("cuda")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    saved = load_checkpoint(weights)
    ours = _ours(arch, saved).to(device)
    original = create("mobilenet_v1_100", ORIGINAL_PARAMS).eval().to(device)
    rows = _rows(original, ours, saved, batch, device)
    rows = [row for row in rows if _works(row)]
    for _ in track(range(rounds), description="timing"):
        for row in rows:
            once = max(clock(row.work, 3), 1e-3)
            row.milliseconds.append(clock(row.work, max(3, int(30 / once))))
    _report(rows, ours, original, arch, batch, device, json_file)


def _works(row: Row) -> bool:
    """Whether this machine can run it; a row that fails is reported and left out."""
    try:
        row.work = row.make()
        row.work()
        torch.cuda.synchronize()
    except RuntimeError as error:
        print(f"left out, fails here: {row.name.strip()} ({reason(error)})")
        return False
    return True


def _ours(arch: str, saved: dict[str, Any]) -> Network:
    whitening = whitening_of(saved)
    network = create(arch, len(whitening.mean), pooling=pooling_of(averaged_tensors(saved)))
    load_matching(network, saved, whitening)
    return network.deployed()


def _rows(original: Network, ours: Network, saved: dict[str, Any], batch: int, device: torch.device) -> list[Row]:
    """Every variant, the original 3DDFA first."""
    head, whitening = HeadModel.load(), whitening_of(saved)
    mean, std = torch.from_numpy(whitening.mean), torch.from_numpy(whitening.std)
    marks, dense = (
        Decoder(HeadPoints(torch.from_numpy(p.mean), torch.from_numpy(p.bases)), mean, std).to(device)
        for p in (head.landmark_points, head.points)
    )
    photo = read_image(PHOTO)
    box = default_detector()(photo).boxes[:1] + np.random.default_rng(0).uniform(-8, 8, (batch, 1))
    roi = roi_from_boxes(box, enlargement=FITTED_ENLARGEMENT)
    photos = torch.from_numpy(np.repeat(photo[None], batch, axis=0))
    forward = crop_matrix(roi, SIZE)
    zoom = 1 / forward[:, (0, 1), (0, 1)]  # from crop px to photo px
    affine = torch.from_numpy(np.c_[zoom, -forward[:, :2, 2] * zoom]).float()
    pinned, on_device, affine = photos.pin_memory(), photos.to(device), affine.to(device)
    cropper = Cropper()
    crops = cropper(on_device, affine)
    full = crops.float().contiguous()
    last = crops.contiguous(memory_format=torch.channels_last)
    slim = copy.deepcopy(ours).half().to(memory_format=torch.channels_last)
    fast = torch.compile(copy.deepcopy(slim))
    thin = copy.deepcopy(original).half().to(memory_format=torch.channels_last)
    decode_marks, decode_dense, cut = (torch.compile(part) for part in (marks, dense, cropper))

    def whole(source: Tensor) -> Tensor:
        return decode_marks(fast(cut(source, affine).contiguous(memory_format=torch.channels_last)))

    def plain(work: Work) -> Callable[[], Work]:
        return lambda: work

    def recorded(work: Work) -> Callable[[], Work]:
        return lambda: graphed(work, device)

    def from_host() -> Work:
        end_to_end = graphed(lambda: whole(on_device), device)

        def work() -> Any:
            on_device.copy_(pinned, non_blocking=True)
            return end_to_end()

        return work

    rows = [
        Row("original network, eager FP32", plain(lambda: original(full))),
        Row("original network, CUDA graph FP16", recorded(lambda: thin(last))),
        Row("ours, eager FP32", plain(lambda: ours(full)), marks),
        Row("ours, eager FP16 channels last", plain(lambda: slim(last)), marks),
        Row("ours, CUDA graph FP16", recorded(lambda: slim(last)), marks),
        Row("ours, compiled FP16", plain(lambda: fast(last)), marks),
        Row("ours, compiled FP16, CUDA graph", recorded(lambda: fast(last)), marks),
        Row("  and 68 landmarks", recorded(lambda: decode_marks(fast(last))), Tensor.clone),
        Row("  and the dense mesh", recorded(lambda: decode_dense(fast(last)))),
        Row("  photos on the device: crop, regress, landmarks", recorded(lambda: whole(on_device)), Tensor.clone),
        Row(f"  photos in host memory ({photo.shape[1]} x {photo.shape[0]}), copy included", from_host, Tensor.clone),
    ]
    runtime = _onnx_cuda(ours, full)
    return rows + ([Row("ours, ONNX Runtime CUDA FP32", plain(runtime))] if runtime else [])


def _onnx_cuda(network: Network, images: Tensor) -> Work | None:
    """ONNX Runtime on the GPU with input and output bound there; None where it is not installed."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(copy.deepcopy(network).cpu(), path, SIZE)
        session = ort.InferenceSession(path, providers=["CUDAExecutionProvider"])
    binding = session.io_binding()
    binding.bind_input("input", "cuda", 0, np.float32, tuple(images.shape), images.data_ptr())
    binding.bind_output(session.get_outputs()[0].name, "cuda")
    return lambda: session.run_with_iobinding(binding)


def _report(
    rows: list[Row],
    ours: Network,
    original: Network,
    arch: str,
    batch: int,
    device: torch.device,
    json_file: Path | None,
) -> None:
    reference = next(row.marks(row.work()).clone() for row in rows if row.marks)
    base = rows[0].median
    table = Table("batch of " + str(batch), "ms", "us/face", "faces/s", "x eager FP32", "x 0.27 ms", "px")
    figures = []
    for row in rows:
        each = row.median / batch
        moved = None if row.marks is None else float((row.marks(row.work()) - reference).norm(dim=2).mean())
        figures.append({"name": row.name.strip(), "ms": row.median, "px": moved})
        table.add_row(
            row.name,
            f"{row.median:.3f}",
            f"{1e3 * each:.2f}",
            f"{1e3 / each:,.0f}",
            f"{base / row.median:.1f}",
            f"{ORIGINAL_MS / each:.0f}",
            "" if moved is None else f"{moved:.3f}",
        )
    console = Console(width=130)
    name = torch.cuda.get_device_name(device)
    console.print(f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}, Python {platform.python_version()}")
    console.print(table)
    flops, bandwidth = ceilings(device)
    console.print(f"ceilings measured: {flops / 1e12:.0f} TFLOP/s FP16, {bandwidth / 1e12:.2f} TB/s")
    roof = {}
    for title, network in (("ours", ours), ("original", original)):
        work, bytes_ = 2.0 * batch * count_macs(network, SIZE), moved_bytes(network, batch, 2)
        least = 1e3 * max(work / flops, bytes_ / bandwidth)
        roof[title] = {"flop": work, "bytes": bytes_, "least_ms": least}
        console.print(
            f"roofline of {title}, FP16: {work / 1e9:.1f} GFLOP, {bytes_ / 1e6:.0f} MB if every layer goes to memory, "
            f"so at least {least:.3f} ms"
        )
    absent = [title for title, module in (("TensorRT", "tensorrt"),) if find_spec(module) is None]
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        absent.append("ONNX Runtime CUDA")
    console.print(f"not installed here: {', '.join(absent) or 'nothing'}")
    if json_file is not None:
        content = {
            "device": name,
            "torch": torch.__version__,
            "arch": arch,
            "batch": batch,
            "rows": figures,
            "roofline": roof,
        }
        content |= {"flops": flops, "bytes_per_second": bandwidth}
        write_atomically(json_file, json.dumps(content, indent=1).encode())


if __name__ == "__main__":
    tyro.cli(main)
