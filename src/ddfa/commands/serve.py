"""`ddfa serve`: the HTTP service and the studio page."""

import os
from typing import Annotated

import tyro

from ddfa.commands.limits import LimitFlags, LimitOptions
from ddfa.errors import DDFAError
from ddfa.exit_codes import OK
from ddfa.options import DetectorName, ModelName, Workers
from ddfa.serve.settings import MAX_FACES

_LIMITS = LimitFlags(max_faces=MAX_FACES)


def serve(
    host: Annotated[str, tyro.conf.arg(metavar="ADDRESS")] = "127.0.0.1",
    port: Annotated[int, tyro.conf.arg(metavar="N")] = 8000,
    model: ModelName = None,
    detector: DetectorName = "yunet",
    workers: Workers = 0,
    queue: Annotated[int, tyro.conf.arg(metavar="N")] = 64,
    connections: Annotated[int, tyro.conf.arg(metavar="N")] = 512,
    peer_connections: Annotated[int, tyro.conf.arg(metavar="N")] = 0,
    max_megabytes: Annotated[float, tyro.conf.arg(metavar="MB")] = 20.0,
    max_megapixels: Annotated[float, tyro.conf.arg(metavar="MP")] = 50.0,
    memory_mb: Annotated[float, tyro.conf.arg(metavar="MB")] = 1024.0,
    allow_replace: bool = False,
    allow_host: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = (),
    limits: LimitOptions = _LIMITS,
) -> int:
    """Serve face alignment over HTTP, with a web page: open the address in a browser.

    Listens on localhost unless --host is given. If the environment variable DDFA_API_KEY is set, clients must send that
    key as X-API-Key. Nothing that clients send is stored or logged. Ctrl-C completes the requests in progress. See
    docs/serve.md.

    Args:
        host: address to listen on; 0.0.0.0 for all interfaces.
        port: TCP port; 0 for any free one.
        model: see `ddfa.options`, as for the other options without a description here.
        detector: finds the faces.
        workers: threads that process photos.
        queue: maximum number of requests at a time; others are refused with status 429.
        connections: maximum number of open connections; others are refused with status 503.
        peer_connections: maximum number of idle or slow connections of one address; 0 for a quarter of --connections.
            A reverse proxy has one address: use a larger number.
        max_megabytes: maximum size of a request.
        max_megapixels: maximum size of a photo.
        memory_mb: memory for requests, unread answers and decoded photos at a time, in MB; others wait or are refused
            with status 503.
        allow_replace: enable face replacement.
        allow_host: host names that browsers may use for the service, besides localhost and HOST; * for any.
        limits: which of the detected faces are answered.

    Returns:
        The exit code.
    """
    from ddfa.serve.app import create_app
    from ddfa.serve.server import run_server
    from ddfa.serve.settings import API_KEY_VARIABLE, ServeSettings

    if min(queue, connections) < 1 or min(max_megabytes, max_megapixels, memory_mb) <= 0 or not 0 <= port < 65536:
        raise DDFAError(
            "--queue, --connections, --memory-mb and the --max options must be above 0, --port from 0 to 65535"
        )
    if peer_connections < 0:
        raise DDFAError("--peer-connections must be at least 0: 0 for a quarter of --connections")
    key = os.environ.get(API_KEY_VARIABLE) or None
    if key is not None and not (key.isascii() and key.isprintable()):
        raise DDFAError(f"{API_KEY_VARIABLE} must be printable ASCII, because it is sent as a header: choose another")
    defaults = ServeSettings()
    settings = ServeSettings(
        model=model,
        detector=detector,
        workers=workers or defaults.workers,
        queue=queue,
        max_bytes=round(max_megabytes * 1e6),
        max_pixels=round(max_megapixels * 1e6),
        memory=round(memory_mb * 1e6),
        limits=limits,
        allow_replace=allow_replace,
        hosts=() if "*" in allow_host else (*defaults.hosts, host, *allow_host),
        api_key=key,
    )
    run_server(create_app(settings), host, port, connections, peer_connections, settings.hosts)
    return OK
