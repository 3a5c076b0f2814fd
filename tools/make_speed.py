"""Generate docs/speed.md and its chart from the output of the benchmarks.

ddfa bench speed MODEL ... --runtimes onnxruntime openvino --photos samples --output runs/speed
python benchmarks/gpu.py --json runs/gpu.json          # where there is an NVIDIA GPU
python benchmarks/serve.py --json runs/serve.json
python tools/make_speed.py runs/speed/results.json --gpu runs/gpu.json --service runs/serve.json
"""

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import tyro

from ddfa.files import write_atomically

ROOT = Path(__file__).resolve().parents[1]
PAGE, CHART = ROOT / "docs" / "speed.md", ROOT / "docs" / "images" / "speed.svg"
ORIGINAL_US = 270.0  # per image at batch 128 on a TITAN X, as stated by its authors
SHOWN = {"threads": 1, "batch": 32}  # in the chart
BAR, GAP, LEFT, WIDTH = 22, 8, 250, 860


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def networks(results: list[dict[str, Any]], runtime: str) -> str:
    """Milliseconds per face and speed-ups: a row per network, a column per number of threads and batch size."""
    own = [row for row in results if row["runtime"] == runtime]
    settings = list(dict.fromkeys((row["threads"], row["batch"]) for row in own))
    names = list(dict.fromkeys(row["model"] for row in own))
    found = {(row["model"], row["threads"], row["batch"]): row for row in own}
    cells = [
        [f"`{name}`", *(f"{found[name, *s]['ms_per_face']:.2f} ({found[name, *s]['speedup']:.1f})" for s in settings)]
        for name in names
    ]
    return table(["", *(f"{threads} thread{'s' * (threads > 1)}, batch {batch}" for threads, batch in settings)], cells)


def gpu_table(gpu: dict[str, Any]) -> str:
    """Times of a batch on a GPU, a row per variant."""
    base = gpu["rows"][0]["ms"]
    rows = []
    for row in gpu["rows"]:
        each = 1e3 * row["ms"] / gpu["batch"]
        moved = "" if row["px"] is None else f"{row['px']:.3f}"
        cells = (f"{row['ms']:.2f}", f"{each:.1f}", f"{1e6 / each:,.0f}", f"{base / row['ms']:.1f}")
        rows.append([row["name"], *cells, f"{ORIGINAL_US / each:.0f}", moved])
    return table(
        [
            "",
            "ms per batch",
            "µs per face",
            "faces/s",
            "speed-up over eager FP32",
            "speed-up over 0.27 ms",
            "landmark shift, px",
        ],
        rows,
    )


def roofline(gpu: dict[str, Any]) -> str:
    """The lower bound of the device for a batch, compared with the fastest row."""
    own, fastest = gpu["roofline"]["ours"], min(row["ms"] for row in gpu["rows"])
    return (
        f"Roofline: the device achieves {gpu['flops'] / 1e12:.0f} TFLOP/s in FP16 matrix products and "
        f"{gpu['bytes_per_second'] / 1e12:.2f} TB/s in copies. A batch of {gpu['batch']} needs {own['flop'] / 1e9:.0f} "
        f"GFLOP and, if every layer reads from and writes to memory, {own['bytes'] / 1e6:.0f} MB: at least "
        f"{own['least_ms']:.3f} ms, limited by memory bandwidth. The fastest variant takes {fastest:.2f} ms."
    )


def service_table(service: list[dict[str, Any]]) -> str:
    """Throughput and latency of the service under load."""
    base = service[0]["per_second"]
    rows = [
        [
            f"{row['callers']}{'' if row['batching'] else ', without batching'}",
            *(f"{value:.{digits}f}" for value, digits in (
                (row["per_second"], 1), (row["per_second"] / base, 2), (row["p50_ms"], 0), (row["p99_ms"], 0))),
        ]
        for row in service
    ]  # fmt: skip
    return table(["concurrent requests", "responses/s", "relative to one at a time", "p50 ms", "p99 ms"], rows)


def chart(results: list[dict[str, Any]]) -> str:
    """Faces per second as bars, in SVG."""
    shown = [row for row in results if all(row[name] == value for name, value in SHOWN.items())]
    most = max(1e3 / row["ms_per_face"] for row in shown)
    height = 54 + len(shown) * (BAR + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="12" y="26" font-size="16" font-weight="bold">Faces per second, {SHOWN["threads"]} thread, batches of '
        f"{SHOWN['batch']}</text>",
    ]
    for k, row in enumerate(sorted(shown, key=lambda row: row["ms_per_face"])):
        rate, y = 1e3 / row["ms_per_face"], 44 + k * (BAR + GAP)
        colour = "#8a94a0" if row["model"].startswith("v2") else "#1668c7"
        length = (WIDTH - LEFT - 80) * rate / most
        name = escape(f"{row['model']}, {row['runtime']}")
        parts += [
            f'<text x="{LEFT - 10}" y="{y + 16}" text-anchor="end">{name}</text>',
            f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="3" fill="{colour}"/>',
            f'<text x="{LEFT + length + 8:.1f}" y="{y + 16}">{rate:,.0f}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


def page(cpu: dict[str, Any], gpu: dict[str, Any] | None, service: list[dict[str, Any]] | None) -> str:
    """The whole page."""
    results = cpu["results"]
    runtimes = list(dict.fromkeys(row["runtime"] for row in results))
    models = list(dict.fromkeys(row["model"] for row in results))
    last = models[-1]
    parts = [
        "# Speed",
        "<!-- Generated by tools/make_speed.py: change the text there, or repeat the measurement. -->",
        "All entries of a table are measured in one run, interleaved. Compare the ratios: absolute times apply to one machine "
        "on one day.",
        "## CPU",
        "; ".join(f"{name} {version}" for name, version in cpu["machine"]) + f"; medians of {cpu['rounds']} rounds.",
        "![Faces per second of the networks](images/speed.svg)",
        f"Milliseconds per face of the networks, including normalisation; in brackets the speed-up over `{last}` in the same "
        "run. `fp16` and `int8` are made by `ddfa models convert default --precision ...`.",
    ]
    for runtime in runtimes:
        parts += [f"### {runtime}", networks(results, runtime)]
    parts += [
        "### Stages",
        "One thread, a 512 x 512 px photo of one face. The method of the original 3DDFA is a crop with `cv2.resize`, and "
        "dense decoding in NumPy, one face at a time.",
        table(["", "ms", "speed-up over original 3DDFA"], cpu["stages"]),
        f"    ddfa bench speed {' '.join(models)} --runtimes {' '.join(runtimes)} --photos samples --output runs/speed",
    ]
    if gpu is not None:
        parts += [
            "## GPU",
            f"{gpu['device']}, PyTorch {gpu['torch']}, batches of {gpu['batch']} crops, our network `{gpu['arch']}`. The "
            "original network in eager FP32 is the setting of 3DDFA, whose authors state 0.27 ms per image at batch 128 on a "
            "TITAN X.",
            gpu_table(gpu),
            roofline(gpu),
            "Neither TensorRT nor the CUDA provider of ONNX Runtime was installed on that machine. Photos in host memory are "
            "limited by the copy: decode on the device, or transfer crops.",
            "    python benchmarks/gpu.py --json runs/gpu.json",
        ]
    if service is not None:
        parts += [
            "## Service",
            "Two cores shared with the load generator, a 512 x 512 px photo of one face, landmarks without files; see "
            "[serve.md](serve.md).",
            service_table(service),
            "    python benchmarks/serve.py --json runs/serve.json",
        ]
    parts += [
        "Batch processing: [batch.md](batch.md). Rasteriser: [render.md](render.md). Video: [video.md](video.md). Face "
        "replacement: [replace.md](replace.md)."
    ]
    return "\n\n".join(map(wrapped, parts)) + "\n"


def wrapped(part: str) -> str:
    """Wrap a paragraph of prose; headings, tables, images, comments and code stay as they are."""
    return part if part.startswith(("#", "|", "!", "<", "    ")) else fill(part, 100, break_on_hyphens=False)


def main(
    cpu: tyro.conf.Positional[Path],
    gpu: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
    service: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None,
) -> None:
    """Write the page and the chart.

    Args:
        cpu: results.json of `ddfa bench speed`.
        gpu: JSON output of benchmarks/gpu.py.
        service: JSON output of benchmarks/serve.py.
    """
    content = {
        name: json.loads(path.read_text()) for name, path in (("cpu", cpu), ("gpu", gpu), ("s", service)) if path
    }
    write_atomically(PAGE, page(content["cpu"], content.get("gpu"), content.get("s")).encode())
    write_atomically(CHART, chart(content["cpu"]["results"]).encode())


if __name__ == "__main__":
    tyro.cli(main)
