"""Middleware: the limit on concurrent requests, API key, host and origin checks, security headers and metrics."""

import logging
import secrets
import time
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ddfa.serve.capacity import MemoryBudget, RequestQueue
from ddfa.serve.errors import ServiceError, internal
from ddfa.serve.metrics import Metrics
from ddfa.serve.peers import host_name
from ddfa.serve.settings import ServeSettings

_log = logging.getLogger("ddfa.serve")
_LARGE: Final = 65_536  # bytes of an answer that counts against the memory
_API: Final = "/v1/"  # paths outside need no key: monitoring has none
# All resources come from the service itself; the page may create images and workers.
_POLICY: Final = (
    "default-src 'self'; img-src 'self' blob: data:; connect-src 'self' blob: data: ws: wss:; worker-src 'self' blob:; "
    "style-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)
_HEADERS: Final = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
)


class Middleware:
    """ASGI middleware around the whole service.

    Args:
        app: the wrapped application.
        settings: of the service.
        metrics: receives counts and durations.
        queue: requests in progress.
        answers: memory for answers that have not been read.
    """

    def __init__(
        self, app: ASGIApp, settings: ServeSettings, metrics: Metrics, queue: RequestQueue, answers: MemoryBudget
    ) -> None:
        self._app, self._settings, self._metrics = app, settings, metrics
        self._queue, self._answers = queue, answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle an ASGI connection; only HTTP is checked here."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS]
            content = message.get("body", b"")
            if len(content) < _LARGE or message.get("more_body"):
                await send(message)
                return
            with self._answers.holding(len(content)):  # the second call returns when the client has read everything
                await send({**message, "more_body": True})
                await send({"type": "http.response.body", "body": b""})

        try:
            self._check(scope)
        except ServiceError as error:
            await error.response()(scope, receive, answer)
        else:
            await self._answered(scope, receive, answer)
        route = scope.get("route")
        path = getattr(
            route, "path", "other"
        )  # never the requested path: clients could create any number of time series
        self._metrics.requests.labels(path, str(status)).inc()
        self._metrics.seconds.labels(path).observe(time.perf_counter() - began)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; an exception is neither logged nor sent, because it may contain data of the request."""
        started = False

        async def answer(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            _log.error("unexpected %s", type(error).__name__)
            if not started:
                await internal().response()(scope, receive, send)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        check_browser(headers, self._settings)
        if scope["path"].startswith(_API):
            check_key(headers.get("x-api-key"), self._settings)
            if scope["method"] == "POST":
                self._queue.check()


def check_key(given: str | None, settings: ServeSettings) -> None:
    """Check the API key of a request, in constant time.

    Raises:
        ServiceError: a key is needed and this is not it.
    """
    needed = settings.api_key
    if needed is not None and not secrets.compare_digest((given or "").encode(), needed.encode()):
        raise ServiceError(401, "no_key", "the service needs an API key: send it as X-API-Key")


def check_browser(headers: Headers, settings: ServeSettings) -> None:
    """Refuse requests that another website makes through a user's browser (DNS rebinding, foreign origins).

    Raises:
        ServiceError: the host is not one of the service, or the origin is malformed or not the host.
    """
    host = headers.get("host", "")
    if settings.hosts and host_name(host) not in settings.hosts:
        raise ServiceError(
            421, "wrong_host", "the service is not configured for this host name: start it with --allow-host NAME"
        )
    origin = headers.get("origin")
    if origin is not None and _host_of(origin) != host:
        raise ServiceError(403, "wrong_origin", "pages of other origins may not use the service")


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        raise ServiceError(400, "bad_origin", "the header Origin is malformed: send scheme://host:port") from None
