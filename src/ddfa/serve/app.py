"""The service as an ASGI application: its routes and error handlers."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar

from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.responses import FileResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles

from ddfa import __version__
from ddfa.errors import DDFAError, ModelError
from ddfa.regress.bundle import Bundle
from ddfa.regress.registry import installed
from ddfa.serve import requests, schemas
from ddfa.serve.capacity import MemoryBudget, RequestQueue
from ddfa.serve.engine import Engine
from ddfa.serve.errors import ServiceError
from ddfa.serve.live import LiveChannel
from ddfa.serve.metrics import Metrics
from ddfa.serve.middleware import Middleware
from ddfa.serve.replace import MOST_SOURCES, replace_faces
from ddfa.serve.settings import ServeSettings
from ddfa.serve.shared import Shared

PAGE: Final = Path(str(files("ddfa.serve"))) / "page"
_SAMPLES: Final = "samples"
_CARDS_S: Final = 60.0  # after which installed bundles are looked for again
_T = TypeVar("_T")

_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": schemas.ErrorAnswer, "description": text}
    for status, text in {
        400: "The body cannot be read.",
        401: "An API key is needed.",
        403: "Not allowed here.",
        408: "The body arrived too slowly.",
        413: "Too many bytes or pixels.",
        415: "Not an image, or an unsupported content type.",
        421: "The service is not configured for this host name.",
        422: "A field is missing or invalid.",
        429: "Too many requests: try again after Retry-After seconds.",
        503: "The request took too long, or there is no memory left.",
    }.items()
}
_ALIGN: Final[dict[str, type[BaseModel]]] = {
    "multipart/form-data": schemas.AlignForm,
    "application/json": schemas.AlignRequest,
}
_REPLACE: Final[dict[str, type[BaseModel]]] = {"multipart/form-data": schemas.ReplaceForm}


def create_app(settings: ServeSettings) -> FastAPI:
    """Create the service; models are loaded before it listens.

    Args:
        settings: limits and options of the service.

    Returns:
        The ASGI application.

    Raises:
        ModelError: the bundle cannot be used.
        DetectorError: the detector cannot be used.
    """
    metrics = Metrics()
    engine = Engine(settings, metrics)
    live = LiveChannel(engine)
    queue = RequestQueue(settings.queue, metrics.queue.set)
    traffic = MemoryBudget(settings.memory // 4)  # requests and answers; the rest is for decoded images
    ready = asyncio.Event()
    cards = Shared(lambda: engine.run(_cards, engine.aligner.bundle), _CARDS_S)
    mean_head = Shared(lambda: engine.run(engine.mean_head), math.inf)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await engine.start()
        ready.set()
        yield
        ready.clear()
        await engine.close()

    app = FastAPI(
        title="OpenDDFA",
        version=__version__,
        description="3D face alignment of photos: open head model, 68 landmarks, pose, 52 ARKit blendshapes, files.",
        lifespan=lifespan,
        docs_url=None,  # they load scripts from a CDN
        redoc_url=None,
    )
    app.add_middleware(Middleware, settings=settings, metrics=metrics, queue=queue, answers=traffic)

    @app.exception_handler(ServiceError)
    async def service_error(_: Request, error: ServiceError) -> Response:
        return error.response()

    @app.exception_handler(DDFAError)
    async def package_error(_: Request, error: DDFAError) -> Response:
        return ServiceError(422, "unusable", str(error)).response()

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        code = {404: "not_found", 405: "wrong_method"}.get(error.status_code, "refused")
        answer = ServiceError(error.status_code, code, str(error.detail)).response()
        answer.headers.update(error.headers or {})
        return answer

    @app.post(
        "/v1/align",
        response_model=schemas.AlignAnswer,
        responses=_ERRORS,
        openapi_extra=requests.openapi_body(_ALIGN),
        summary="Align the faces of a photo",
    )
    async def align(request: Request) -> Response:
        """Find and align the faces of a photo. Nothing is stored."""
        with traffic.growing() as count:
            arguments = await requests.read_align(request, settings, count)
            with queue.place():
                answer = await _in_time(engine.align(*arguments), settings)
        return Response(json.dumps(answer, separators=(",", ":")), media_type="application/json")

    async def replaced(
        sources: list[bytes], whom: list[str | bytes], target: bytes, *options: Any
    ) -> tuple[bytes, float]:
        references = [who for who in whom if isinstance(who, bytes)]
        async with engine.decoded(*sources, *references, target):
            return await engine.run(replace_faces, engine, sources, whom, target, *options)

    @app.post(
        "/v1/replace",
        response_class=Response,
        responses=_ERRORS | {200: {"content": {"image/jpeg": {}}, "description": "The synthetic photo."}},
        openapi_extra=requests.openapi_body(_REPLACE),
        summary="Replace faces in a photo",
    )
    async def replace(request: Request) -> Response:
        """Disabled unless the service is started with --allow-replace. Requires the consent of all people concerned."""
        if not settings.allow_replace:
            raise ServiceError(403, "disabled", "face replacement is disabled: start the service with --allow-replace")
        with traffic.growing() as count:
            body = await requests.read_body(request, settings, count)
            form = await requests.read_form(request, body, files=2 * MOST_SOURCES + 1)
            sources, target = await requests.form_files(form, "source"), await requests.form_file(form, "target")
            whom = await requests.form_values(form, "face") or ["0"]
            shape, label = requests.form_text(form, "shape", "blend"), requests.form_flag(form, "label")
            least = requests.form_text(form, "min_quality", "0")
            with queue.place():
                content, quality = await _in_time(replaced(sources, whom, target, shape, label, least), settings)
        return Response(content, media_type="image/jpeg", headers={"X-Expected-Quality": f"{quality:.2f}"})

    @app.get("/v1/models", response_model=schemas.Models, responses={401: _ERRORS[401]}, summary="Installed models")
    async def models() -> schemas.Models:
        """The installed bundles; the service uses the one marked as default."""
        return schemas.Models(models=await cards())

    @app.get(
        "/v1/head",
        response_class=Response,
        responses={200: {"content": {"model/gltf-binary": {}}}, 401: _ERRORS[401]},
        summary="The mean head",
    )
    async def head() -> Response:
        """The mean head with its 52 blendshapes in frontal pose, as GLB."""
        return Response(await mean_head(), media_type="model/gltf-binary", headers={"Cache-Control": "max-age=3600"})

    @app.get("/v1/samples", include_in_schema=False)
    async def samples() -> dict[str, Any]:
        found = sorted((PAGE / _SAMPLES).glob("*.jpg"))
        named = [{"name": path.stem.replace("_", " "), "url": f"{_SAMPLES}/{path.name}"} for path in found]
        return {"samples": named}

    @app.websocket("/v1/live")
    async def camera(socket: WebSocket) -> None:
        await live.serve(socket)

    @app.get("/healthz", response_model=schemas.Health, summary="Liveness")
    async def healthz() -> dict[str, str]:
        """Answers while the process is running."""
        return {"status": "ok"}

    @app.get(
        "/readyz",
        response_model=schemas.Health,
        responses={503: {"model": schemas.Health, "description": "The service is starting or stopping."}},
        summary="Readiness",
    )
    async def readyz() -> Response:
        """Whether models are loaded and kernels compiled."""
        return JSONResponse({"status": "ready"}) if ready.is_set() else JSONResponse({"status": "not ready"}, 503)

    @app.get("/metrics", response_class=Response, summary="Prometheus metrics")
    async def show_metrics() -> Response:
        """Requests, durations of the stages, faces, batch sizes."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    _add_page(app)
    return app


def _add_page(app: FastAPI) -> None:
    """Serve the files of the page by name: a mount on "/" would also answer unknown methods."""
    for path in sorted(PAGE.iterdir()) if PAGE.is_dir() else ():
        if path.is_dir():
            app.mount(f"/{path.name}", StaticFiles(directory=path))
        else:
            route = "/" if path.name == "index.html" else f"/{path.name}"
            app.add_api_route(route, partial(_file, path), include_in_schema=False)


async def _file(path: Path) -> FileResponse:
    return FileResponse(path)


async def _in_time(work: Awaitable[_T], settings: ServeSettings) -> _T:
    try:
        async with asyncio.timeout(settings.answer_s):
            return await work
    except TimeoutError:
        text = f"the request took longer than {settings.answer_s:g} s: send a smaller image or request fewer parts"
        raise ServiceError(503, "too_long", text, retry_s=5) from None


def _cards(used: Bundle) -> list[schemas.ModelCard]:
    """The installed bundles, the one in use first; each is verified, which is slow."""
    result = [_card(used, default=True)]
    for name, folder in installed().items():
        if name == used.name:
            continue
        with suppress(ModelError):
            result.append(_card(Bundle.load(folder), default=False))
    return result


def _card(bundle: Bundle, default: bool) -> schemas.ModelCard:
    return schemas.ModelCard(
        name=bundle.name,
        default=default,
        architecture=bundle.architecture,
        head=bundle.head,
        licence=bundle.licence,
        input_size=bundle.input_size,
        parameters=bundle.layout.size,
    )
