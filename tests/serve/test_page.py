"""The studio page end to end: a real browser, a real service, a real photo, a camera that the browser fakes."""

import io
import shutil
import subprocess
import sys

import pytest
import trimesh

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra `dev`")

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip("needs Chromium: `make browser`", allow_module_level=True)

# Software WebGL, and a camera that shows a moving pattern to whoever asks.
FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--use-fake-device-for-media-stream",
]
CODE = "import sys; from ddfa.cli import main; sys.exit(main(sys.argv[1:]))"
EXPECTED = "status of 415"  # the browser tells of every refusal
WAIT = {"timeout": 60_000}


@pytest.fixture(scope="module")
def address():
    """Where a service of its own listens."""
    words = [sys.executable, "-c", CODE, "serve", "--port", "0"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as service:
        yield service.stdout.readline().split()[2]
        service.terminate()


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, address):
    """Opens the page in a browser of its own; at the end nothing may have been complained about."""
    contexts, complaints = [], []

    def opened(**settings):
        context = browser.new_context(reduced_motion="reduce", accept_downloads=True, **settings)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        page.wait_for_selector("[data-testid=bar-jawOpen]", **WAIT)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for text in complaints if EXPECTED not in text] == []


def number(page, name):
    return float(page.inner_text(f"#{name}").removesuffix("°"))


def test_a_photo_becomes_heads_to_turn_and_files_to_keep(open_page, root):
    page = open_page()
    page.set_input_files("#file", root / "samples" / "two_people.jpg")
    page.wait_for_selector("#stage[data-face='0']", **WAIT)
    assert page.locator("#faces button").count() == 2 and "2 faces" in page.inner_text("#status")
    assert abs(number(page, "yaw")) < 10 and abs(number(page, "roll")) < 15
    first = number(page, "roll")
    page.click("[data-testid=face-1]")
    page.wait_for_selector("#stage[data-face='1']", **WAIT)
    assert number(page, "roll") != first
    for look in ("shaded", "wireframe", "pncc", "depth", "normals", "texture"):
        page.click(f"[data-testid=view-{look}]")
        assert page.get_attribute("#stage", "data-view") == look
    with page.expect_download(**WAIT) as download:
        page.click("[data-testid=download-ply]")
    content = download.value.path().read_bytes()
    mesh = trimesh.load(io.BytesIO(content), file_type="ply", process=False)
    assert download.value.suggested_filename == "face_1.ply" and len(mesh.vertices) > 5000


def test_a_bar_moves_the_head_and_goes_back(open_page, root):
    page = open_page()
    page.set_input_files("#file", root / "samples" / "astronaut.jpg")
    page.wait_for_selector("#stage[data-face='0']", **WAIT)
    bar = page.locator("[data-testid=bar-jawOpen]")
    fitted, before = bar.input_value(), page.locator("#stage canvas").screenshot()
    bar.fill("1")
    page.wait_for_timeout(300)
    assert page.locator("#stage canvas").screenshot() != before
    page.click("#reset")
    assert bar.input_value() == fitted


def test_what_is_no_photo_is_told(open_page, tmp_path):
    page = open_page()
    path = tmp_path / "notes.jpg"
    path.write_text("no picture")
    page.set_input_files("#file", path)
    page.wait_for_selector("#status.warn", **WAIT)
    assert "not a picture" in page.inner_text("#status")


def test_the_camera_is_followed_and_stopped(open_page):
    page = open_page(permissions=["camera"], viewport={"width": 360, "height": 740})
    page.click("#camera")
    page.wait_for_selector("#figures:has-text('pictures/s')", **WAIT)
    assert page.inner_text("#status") in ("", "Nobody is seen.")
    page.click("#camera-stop")
    assert page.inner_text("#status") == "The camera is off."
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing sticks out on a phone


def test_without_leave_the_camera_is_explained(open_page):
    page = open_page()
    page.click("#camera")
    page.wait_for_selector("#status.warn", **WAIT)
    assert "camera" in page.inner_text("#status")
