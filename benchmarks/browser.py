"""Speed of the npm package in headless Chromium: `make package && python benchmarks/browser.py`.

A photo moves in front of a camera of 640 x 480 px. `follow`: one face is followed, as in the demo page. `detect`:
the detector runs on every frame. Each with frames per second and milliseconds of CPU time of the page's thread, which
other programs on the machine disturb less. `page`: the demo page with the browser's (fake) camera of 30 frames/s.
"""

import argparse
import base64
import shutil
import subprocess
import tempfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import CDPSession, sync_playwright

from ddfa.images import read_image

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "web" / "package"
READY = "() => document.getElementById('status').textContent === 'Ready.'"
PLAY = "([name, count]) => window.play(name, count)"
PREPARE = """async (jpeg) => {
  const bitmap = await createImageBitmap(await (await fetch(`data:image/jpeg;base64,${jpeg}`)).blob());
  const context = new OffscreenCanvas(640, 480).getContext("2d", { willReadFrequently: true });
  const frame = (k) => {
    context.drawImage(bitmap, 20 * Math.sin(k / 10), 5 * Math.sin(k / 7));
    return context.getImageData(0, 0, 640, 480);
  };
  const follower = window.aligner.follow();
  window.steps = { follow: (image) => follower.next(image), detect: (image) => window.aligner.align(image) };
  window.play = async (name, count) => {
    const began = performance.now();
    for (let k = 0; k < count; k++) await window.steps[name](frame(k));
    return (count * 1000) / (performance.now() - began);
  };
}"""


def _cpu_s(session: CDPSession) -> float:
    """CPU time of the page's thread so far."""
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["ThreadTime"])


def main() -> None:
    """Measure and print one line per measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100)
    frames = parser.parse_args().frames
    photo = cv2.resize(read_image(ROOT / "samples" / "astronaut.jpg")[:384, :512], (640, 480))
    jpeg = cv2.imencode(".jpg", photo[..., ::-1])[1].tobytes()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npx", "vite", "build", "--outDir", folder, "--logLevel", "error"], cwd=PACKAGE, check=True)
        camera = Path(folder) / "camera.mjpeg"
        moved = [np.roll(photo, 2 * (k if k < 20 else 40 - k), axis=1) for k in range(40)]
        camera.write_bytes(b"".join(cv2.imencode(".jpg", one[..., ::-1])[1].tobytes() for one in moved))
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=folder))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        flags = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=shutil.which("chromium"), args=[*flags, f"--use-file-for-fake-video-capture={camera}"]
            )
            page = browser.new_page()
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            page.wait_for_function(READY, timeout=120_000)
            page.evaluate(PREPARE, base64.b64encode(jpeg).decode())
            session = page.context.new_cdp_session(page)
            session.send("Performance.enable", {"timeDomain": "threadTicks"})
            for name in ("follow", "detect"):
                page.evaluate(PLAY, [name, 5])
                before = _cpu_s(session)
                speed = page.evaluate(PLAY, [name, frames])
                used_ms = 1e3 * (_cpu_s(session) - before) / frames
                print(f"{name}: {speed:.0f} frames/s, {used_ms:.1f} ms of CPU time")
            page.click("#camera")
            page.wait_for_timeout(5000)
            status = page.inner_text("#status")
            browser.close()
        server.shutdown()
    print(f"page: {status}")


if __name__ == "__main__":
    main()
