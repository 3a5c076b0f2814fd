import asyncio
import hashlib

import pytest

from ddfa.serve.app import PAGE
from ddfa.serve.capacity import MemoryBudget, RequestQueue
from ddfa.serve.errors import ServiceError
from ddfa.serve.metrics import Metrics
from ddfa.serve.middleware import Middleware
from ddfa.serve.settings import ServeSettings

from .conftest import client_of


@pytest.fixture(scope="module")
def locked():
    with client_of(api_key="sesame", hosts=("localhost",)) as client:
        yield client


def code_of(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_a_key_is_asked_for_where_there_is_one(locked, photo):
    files = {"image": photo}
    assert code_of(locked.post("/v1/align", files=files)) == (401, "no_key")
    assert code_of(locked.get("/v1/models", headers={"X-API-Key": "Sesame"})) == (401, "no_key")
    assert code_of(locked.get("/v1/models", headers={"X-API-Key": "ſésame".encode()})) == (401, "no_key")
    assert locked.post("/v1/align", files=files, headers={"X-API-Key": "sesame"}).status_code == 200
    assert locked.get("/healthz").json() == {"status": "ok"} and locked.get("/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "", "[", "localhost@evil.example"])
def test_other_names_are_refused(locked, host):
    assert code_of(locked.get("/healthz", headers={"host": host})) == (421, "wrong_host")


def test_other_origins_are_refused(locked):
    for origin in ("http://evil.example", "null", "http://localhost:81", "["):
        assert code_of(locked.post("/v1/align", headers={"origin": origin})) == (403, "wrong_origin")
    for origin in ("http://[", "http://[::1", "https://[v1]"):
        assert code_of(locked.post("/v1/align", headers={"origin": origin})) == (400, "bad_origin")
    assert locked.get("/healthz", headers={"origin": "http://localhost"}).status_code == 200


def test_a_service_that_is_not_ready_says_so():
    client = client_of()
    assert client.get("/readyz").status_code == 503 and client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/..%2f..%2fapp.py", "/%2e%2e/app.py", "/assets/../../app.py", "//etc/passwd"]
)
def test_only_the_page_is_given_out(locked, path):
    assert locked.get(path).status_code == 404


def test_errors_have_one_form(locked):
    assert code_of(locked.get("/v1/nothing", headers={"X-API-Key": "sesame"})) == (404, "not_found")
    assert code_of(locked.delete("/healthz")) == (405, "wrong_method")


def test_what_is_unexpected_tells_nothing_of_the_request(photo, caplog):
    def fail(*_):
        raise RuntimeError("secret of the caller")

    with client_of(raise_server_exceptions=False) as client, pytest.MonkeyPatch.context() as patch:
        patch.setattr("ddfa.serve.engine.decode_checked", fail)
        answer = client.post("/v1/align", files={"image": photo})
    assert code_of(answer) == (500, "internal")
    assert "secret" not in answer.text and "secret" not in caplog.text and "RuntimeError" in caplog.text


def test_figures_name_routes_not_paths(client):
    client.get("/v1/models")
    client.get("/v1/made-up-path")
    text = client.get("/metrics").text
    assert 'path="/v1/models",status="200"' in text and "made-up" not in text


def test_a_large_answer_counts_until_it_is_read():
    answers, seen = MemoryBudget(100_000), []

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": bytes(100_000)})

    async def send(message):
        try:
            with answers.growing() as add:
                add(1)
            seen.append("free")
        except ServiceError:
            seen.append(len(message["body"]))

    guard = Middleware(app, ServeSettings(), Metrics(), RequestQueue(1), answers)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", b"localhost")]}
    asyncio.run(guard(scope, None, send))
    assert seen == ["free", 100_000, 0]


def test_a_full_queue_refuses_before_the_body_is_read():
    queue = RequestQueue(1)
    guard = Middleware(None, ServeSettings(), Metrics(), queue, MemoryBudget(1))
    scope = {"type": "http", "method": "POST", "path": "/v1/align", "headers": [(b"host", b"localhost")]}
    sent = []

    async def send(message):
        sent.append(message)

    with queue.place():
        asyncio.run(guard(scope, None, send))
    assert sent[0]["status"] == 429 and (b"retry-after", b"1") in sent[0]["headers"]


def test_a_body_that_dawdles_is_cut_off():
    from starlette.requests import Request

    from ddfa.serve.requests import read_body

    async def receive():
        await asyncio.sleep(10)

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(ServiceError, match="within") as told:
        asyncio.run(read_body(request, ServeSettings(receive_s=0.01), lambda size: None))
    assert told.value.status == 408


def test_the_page_was_built_from_its_sources(root):
    web = root / "web"
    if not web.is_dir():
        pytest.skip("needs the sources of the page in web/")
    sources = sorted(f"src/{path.name}" for path in (web / "src").iterdir())
    digest = hashlib.sha256()
    for path in ("index.html", "package-lock.json", *sources):
        digest.update((web / path).read_bytes())
    built = (PAGE / "sources.sha256").read_text().strip()
    assert built == digest.hexdigest(), "the sources of the page have changed: make page"
