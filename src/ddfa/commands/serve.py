"""`ddfa serve`: the service and the studio page."""

import os
from typing import Annotated

import tyro

from ddfa.errors import DDFAError
from ddfa.exit_codes import OK


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    model: Annotated[str | None, tyro.conf.arg(metavar="BUNDLE")] = None,
    detector: Annotated[str | None, tyro.conf.arg(metavar="NAME")] = None,
    workers: Annotated[int, tyro.conf.arg(metavar="N")] = 0,
    queue: Annotated[int, tyro.conf.arg(metavar="N")] = 64,
    connections: Annotated[int, tyro.conf.arg(metavar="N")] = 512,
    max_megabytes: float = 20.0,
    max_megapixels: float = 50.0,
    allow_replace: bool = False,
    allow_host: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")] = (),
) -> int:
    """Serve faces over HTTP, and a page to look at them: open the address in a browser.

    Listens on this machine only, unless --host says otherwise. With DDFA_API_KEY in the environment, callers must send
    that key as X-API-Key. Nothing that callers send is kept or logged. Ctrl-C finishes what is being answered.
    docs/serve.md tells more.

    Args:
        host: address to listen on; 0.0.0.0 for all networks.
        port: of the address; 0 for any free one.
        model: folder or name of a model bundle; the shipped one by default.
        detector: yunet or dlib.
        workers: threads for photos; 0 means one per core.
        queue: requests at a time; more are refused with 429.
        connections: open at a time; more are refused with 503.
        max_megabytes: of a request.
        max_megapixels: of a photo.
        allow_replace: let callers put faces on other people's photos.
        allow_host: names under which browsers may reach the service, besides localhost and HOST; * for any.

    Returns:
        The exit code.
    """
    from ddfa.serve.app import create_app
    from ddfa.serve.server import run_server
    from ddfa.serve.settings import API_KEY_VARIABLE, ServeSettings

    if min(queue, connections) < 1 or min(max_megabytes, max_megapixels) <= 0 or not 0 <= port < 65536:
        raise DDFAError("--queue, --connections, --max-megabytes and --max-megapixels are above 0, --port below 65536")
    defaults = ServeSettings()
    settings = ServeSettings(
        model=model,
        detector=detector,
        workers=workers or defaults.workers,
        queue=queue,
        max_bytes=round(max_megabytes * 1e6),
        max_pixels=round(max_megapixels * 1e6),
        allow_replace=allow_replace,
        hosts=() if "*" in allow_host else (*defaults.hosts, host, *allow_host),
        api_key=os.environ.get(API_KEY_VARIABLE) or None,
    )
    run_server(create_app(settings), host, port, connections)
    return OK
