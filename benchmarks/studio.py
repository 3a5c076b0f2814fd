"""From a photo to its head in the studio page, in headless Chromium: `python benchmarks/studio.py [PHOTO]`.

The photo is enlarged or reduced to a megapixel. Seconds from the drop until the head is drawn, and until it has its
texture; median of several rounds after one that is not counted. WebGL is drawn by software here, as on a machine
without a graphics card. CPU seconds of the service and of the page's main thread until the texture is there tell what
other programs on the machine hardly change.
"""

import argparse
import base64
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import cv2
from playwright.sync_api import Page, sync_playwright

from ddfa.images import read_image

ROOT = Path(__file__).resolve().parents[1]
SERVE = "import sys; from ddfa.cli import main; sys.exit(main(sys.argv[1:]))"
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
MEGAPIXEL = 1_000_000
DROP = """async (jpeg) => {
  const stage = document.getElementById("stage");
  const blob = await (await fetch(`data:image/jpeg;base64,${jpeg}`)).blob();
  const data = new DataTransfer();
  data.items.add(new File([blob], "photo.jpg", { type: "image/jpeg" }));
  delete stage.dataset.face;
  delete stage.dataset.textured;
  const drawn = (name) => new Promise((done) => {
    const seen = () => stage.dataset[name] === undefined
      ? setTimeout(seen, 5) : requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now())));
    seen();
  });
  const began = performance.now();
  dispatchEvent(new DragEvent("drop", { dataTransfer: data, cancelable: true }));
  const head = await drawn("face");
  const textured = "textured" in window.expected ? await drawn("textured") : head;
  return [(head - began) / 1000, (textured - began) / 1000];
}"""


def _jpeg(path: Path) -> str:
    image = read_image(path)
    scale = (MEGAPIXEL / (image.shape[0] * image.shape[1])) ** 0.5
    resized = cv2.resize(
        image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    )
    return base64.b64encode(cv2.imencode(".jpg", resized[..., ::-1])[1].tobytes()).decode()


def _cpu_s(pid: int) -> float:
    """CPU time of a process and its children so far; Linux only."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + sum(_cpu_s(int(one)) for one in children)


def _measure(page: Page, jpeg: str, rounds: int, service: int) -> list[tuple[float, ...]]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def used() -> tuple[float, float]:
        metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
        return _cpu_s(service), float(metrics["ThreadTime"])

    results = []
    for _ in range(rounds + 1):
        before = used()
        times = page.evaluate(DROP, jpeg)
        results.append((*times, *(b - a for a, b in zip(before, used(), strict=True))))
    return results[1:]


def main() -> None:
    """Measure and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photo", type=Path, nargs="?", default=ROOT / "samples" / "astronaut.jpg")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--whole", action="store_true", help="the page has no step without a texture (before 0.2)")
    options = parser.parse_args()
    words = [sys.executable, "-c", SERVE, "serve", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as service, sync_playwright() as driver:
        assert service.stdout is not None
        address = service.stdout.readline().split()[2]
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
        page.goto(address)
        page.wait_for_selector("[data-testid=bar-jawOpen]", timeout=60_000)
        page.evaluate(f"() => void (window.expected = {'{}' if options.whole else '{textured: true}'})")
        times = _measure(page, _jpeg(options.photo), options.rounds, service.pid)
        browser.close()
        service.terminate()
    head, textured, ours, page_s = (statistics.median(one) for one in zip(*times, strict=True))
    print(f"{options.photo.name}, 1 MP: head after {head:.2f} s, with its texture after {textured:.2f} s")
    print(f"CPU until then: service {ours:.2f} s, main thread of the page {page_s:.2f} s")


if __name__ == "__main__":
    main()
