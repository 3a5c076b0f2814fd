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
EXPECTED = ("status of 415", "status of 401")  # the browser tells of every refusal
SMALL = {"width": 360, "height": 740}  # a phone's; software draws it in less time, too
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
    """Opens the page in a browser of its own; at the end no errors may have been logged."""
    contexts, complaints = [], []

    def opened(prepare=None, **settings):
        context = browser.new_context(reduced_motion="reduce", accept_downloads=True, viewport=SMALL, **settings)
        contexts.append(context)
        page = context.new_page()
        if prepare is not None:
            prepare(page)
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(address)
        if prepare is None:
            page.wait_for_selector("[data-testid=bar-jawOpen]", **WAIT)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [text for text in complaints if not any(known in text for known in EXPECTED)] == []


def number(page, name):
    return float(page.inner_text(f"#{name}").removesuffix("°"))


def test_photos_become_heads_to_turn_and_files_to_keep(open_page, root):
    page = open_page()
    page.set_input_files("#file", [root / "samples" / name for name in ("test1.jpg", "astronaut.jpg")])
    page.wait_for_selector("#status:has-text('2 faces')", **WAIT)
    assert page.locator("#faces button").count() == 2 and page.get_attribute("#stage", "data-face") == "0"
    assert abs(number(page, "turn")) < 10 and abs(number(page, "tilt")) < 15
    assert int(page.inner_text("#quality").removesuffix(" %")) > 50
    page.wait_for_selector("#stage[data-textured]", **WAIT)  # the texture comes after the head
    first = number(page, "tilt")
    page.click("[data-testid=face-1]")
    page.wait_for_selector("#stage[data-face='1']", **WAIT)
    assert number(page, "tilt") != first
    page.wait_for_selector("#status:has-text('2 faces, showing 2')", **WAIT)
    for look in ("shaded", "wireframe", "pncc", "depth", "normals", "texture"):
        page.click(f"[data-testid=view-{look}]")
        assert page.get_attribute("#stage", "data-view") == look
    bar = page.locator("[data-testid=bar-jawOpen]")
    fitted, before = bar.input_value(), page.locator("#stage canvas").screenshot()
    bar.fill("1")
    page.wait_for_timeout(100)
    assert page.locator("#stage canvas").screenshot() != before
    page.dispatch_event("#compare", "pointerdown")
    assert page.get_attribute("#compare", "aria-pressed") == "true" and bar.input_value() == "1"
    page.dispatch_event("#compare", "pointerup")
    page.click("#neutral")
    assert bar.input_value() == "0"
    page.click("#reset")
    assert bar.input_value() == fitted
    with page.expect_download(**WAIT) as download:
        page.click("[data-testid=download-ply]")
    content = download.value.path().read_bytes()
    mesh = trimesh.load(io.BytesIO(content), file_type="ply", process=False)
    assert download.value.suggested_filename == "test1_1.ply" and len(mesh.vertices) > 5000
    page.click("[data-testid=download-more]")
    assert page.is_visible("[data-testid=download-mat]")
    page.keyboard.press("Escape")
    assert page.is_hidden("[data-testid=download-mat]")
    page.focus("[data-testid=shot-1]")  # the other photo, by keyboard
    page.keyboard.press("Enter")
    page.wait_for_selector("#status:text-is('1 face')", **WAIT)
    assert page.locator("#faces button").count() == 1 and page.get_attribute("#stage", "data-face") == "0"


def test_a_file_that_is_no_image_is_reported(open_page, tmp_path):
    page = open_page()
    path = tmp_path / "notes.jpg"
    path.write_text("no picture")
    page.set_input_files("#file", path)
    page.wait_for_selector("#status.warn", **WAIT)
    assert "not an image" in page.inner_text("#status")
    assert page.is_visible("#samples img >> nth=0") and page.is_hidden("#photo")


def test_a_missing_key_is_asked_for_and_sent(open_page):
    keys = []

    def guard(route):
        keys.append(route.request.headers.get("x-api-key"))
        if keys[-1] == "open sesame":
            route.continue_()
        else:
            route.fulfill(status=401, json={"error": {"code": "no_key", "message": "a key is needed"}})

    def prepare(page):
        page.route("**/v1/head", guard)

    page = open_page(prepare)
    page.fill("#key-input", "open sesame", **WAIT)
    page.click("#key-dialog .primary")
    page.wait_for_selector("[data-testid=bar-jawOpen]", **WAIT)
    assert keys == [None, "open sesame"]


def test_the_camera_is_followed_and_stopped(open_page):
    page = open_page(permissions=["camera"])
    page.click("#camera")
    page.wait_for_selector("#figures:has-text('frames/s')", **WAIT)
    assert page.inner_text("#status") in ("", "No face in view.")
    page.click("#camera-stop")
    assert page.inner_text("#status") == "The camera is off."
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing sticks out on a phone


def test_a_blocked_camera_is_explained(open_page):
    page = open_page()
    page.click("#camera")
    page.wait_for_selector("#status.warn", **WAIT)
    assert "Camera access is blocked" in page.inner_text("#status")
