"""The npm package in a real browser: the same faces as in Python, and the demo page with a camera."""

import base64
import io
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `dev`")
pytest.importorskip("onnx", reason="needs the extra `train`")

from ddfa.align import FaceAligner  # noqa: E402
from ddfa.images import read_image  # noqa: E402

PACKAGE = Path(__file__).resolve().parents[2] / "web" / "package"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("needs Chromium: `make browser`", allow_module_level=True)
if shutil.which("npx") is None or not (PACKAGE / "node_modules").is_dir() or not (PACKAGE / "models").is_dir():
    pytest.skip("needs the built package: `make package`", allow_module_level=True)

WAIT = {"timeout": 120_000}
READY = "() => document.getElementById('status').textContent === 'Ready.'"
# Decode a PNG, align it and return plain numbers.
ALIGN = """async (png) => {
  const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const faces = await window.aligner.align(context.getImageData(0, 0, bitmap.width, bitmap.height));
  return faces.map((face) => Object.fromEntries(
    Object.entries(face).map(([name, value]) => [name, value.length ? [...value] : value])));
}"""


class Quiet(SimpleHTTPRequestHandler):
    """Any file server."""

    def log_message(self, *_) -> None:
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The demo page, built from the sources, on a file server."""
    folder = tmp_path_factory.mktemp("demo")
    built = ["npx", "vite", "build", "--outDir", str(folder), "--logLevel", "error"]
    subprocess.run(built, cwd=PACKAGE, check=True, capture_output=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture(scope="module")
def camera_file(root, tmp_path_factory) -> Path:
    """What the browser's camera shows: a face that moves, 640 x 480 px."""
    path = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    photo = cv2.resize(read_image(root / "samples" / "astronaut.jpg")[:384, :512], (640, 480))
    frames = [np.roll(photo, 2 * (k if k < 20 else 40 - k), axis=1) for k in range(40)]
    path.write_bytes(b"".join(cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes() for frame in frames))
    return path


@pytest.fixture(scope="module")
def page(address, camera_file):
    flags = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=[*flags, f"--use-file-for-fake-video-capture={camera_file}"]
        )
        page, complaints = browser.new_page(), []
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.wait_for_function(READY, **WAIT)
        yield page
        browser.close()
        assert complaints == []


@pytest.mark.parametrize("name", ["astronaut.jpg", "grace_hopper.jpg", "test1.jpg"])
def test_the_same_faces_as_in_python(page, root, name) -> None:
    import ddfa.regress.sampling_kernel  # noqa: F401  the compiled sampler is used then, as in the graph

    image = read_image(root / "samples" / name)
    faces = FaceAligner(regions=False, any_roll=False)(image)
    png = io.BytesIO()
    Image.fromarray(image).save(png, "PNG")
    found = page.evaluate(ALIGN, base64.b64encode(png.getvalue()).decode())
    assert len(found) == len(faces) > 0
    for k, face in enumerate(found):
        np.testing.assert_allclose(face["box"], faces.boxes[k], atol=0.05)
        np.testing.assert_allclose(np.reshape(face["landmarks"], (68, 3)), faces.landmarks68[k], atol=0.05)
        np.testing.assert_allclose(np.reshape(face["rotation"], (3, 3)), faces.rotation[k], atol=1e-3)
        np.testing.assert_allclose(face["weights"], faces.blendshapes[k], atol=2e-3)
        np.testing.assert_allclose(face["score"], faces.scores[k], atol=2e-3)


def test_photo_and_camera(page, root) -> None:
    page.set_input_files("#file", root / "samples" / "test1.jpg")
    page.wait_for_function("() => /2 faces; turn/.test(document.getElementById('status').textContent)", **WAIT)
    page.set_input_files("#file", root / "README.md")
    page.wait_for_function("() => /not an image/.test(document.getElementById('status').textContent)", **WAIT)
    page.click("#camera")
    told = "() => /frames.s; turn/.test(document.getElementById('status').textContent)"
    page.wait_for_function(told, **WAIT)
    assert page.evaluate("() => Math.max(...[...document.querySelectorAll('meter')].map((bar) => bar.value))") > 0
    page.click("#camera")
