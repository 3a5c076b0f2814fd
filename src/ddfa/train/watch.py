"""The live page of a training run (`ddfa train --watch PORT`): curves, previews, the last row of the log, the units."""

import html
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import cv2

from ddfa.bench.curves import LOG_FILE, RunCurves, draw_curves
from ddfa.errors import DataError, DDFAError
from ddfa.train.log import PREVIEW, UNITS, read_rows

_HOST: Final = "127.0.0.1"
_SECONDS: Final = 5  # between two updates of the page
_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="{seconds}"><title>{title}</title>
<style>body {{ font: 15px system-ui; margin: 2rem; }} img {{ max-width: 100%; }} td, th {{ padding: 0 1rem 0 0;
text-align: right; font-variant-numeric: tabular-nums; }} th {{ font-weight: 600; }}</style></head>
<body><h1>{title}</h1>{tables}<p><img alt="training curves" src="curves.png"></p>{previews}{units}</body></html>
"""


@contextmanager
def watched(folders: Sequence[Path], port: int) -> Iterator[str]:
    """Serve the page of some runs on this machine, from a thread.

    Args:
        folders: of the runs.
        port: of 127.0.0.1; 0 for a free one.

    Yields:
        The address of the page.

    Raises:
        DataError: the port cannot be used.
    """
    try:
        server = ThreadingHTTPServer((_HOST, port), _handler(folders))
    except (OSError, OverflowError) as error:
        raise DataError(f"cannot serve the page of the run on port {port} ({error}): choose another --watch") from None
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{_HOST}:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(folders: Sequence[Path]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                kind, content = _answer(self.path, folders)
            except (DDFAError, OSError, LookupError, ValueError):  # nothing is logged yet, or there is no such page
                self.send_error(HTTPStatus.NOT_FOUND)
                return
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Print nothing: the progress bar is on the terminal."""

    return Handler


def _answer(path: str, folders: Sequence[Path]) -> tuple[str, bytes]:
    """Media type and content of a path."""
    if path == "/":
        return "text/html; charset=utf-8", _page(folders).encode()
    if path == "/curves.png":
        curves = cv2.cvtColor(draw_curves([RunCurves.load(folder) for folder in folders]), cv2.COLOR_RGB2BGR)
        return "image/png", cv2.imencode(".png", curves)[1].tobytes()
    number = path.removeprefix("/preview/").removesuffix(".jpg")
    if path == f"/preview/{number}.jpg" and number.isdecimal():
        return "image/jpeg", (folders[int(number)] / PREVIEW).read_bytes()
    raise LookupError(path)


def _page(folders: Sequence[Path]) -> str:
    shown = [(number, folder) for number, folder in enumerate(folders) if (folder / PREVIEW).is_file()]
    previews = "".join(f'<p><img alt="preview of {_name(f)}" src="preview/{n}.jpg"></p>' for n, f in shown)
    tables = "".join(f"<h2>{_name(folder)}</h2>{_last_row(folder)}" for folder in folders)
    units = "".join(_units(folder) for folder in folders)
    return _PAGE.format(seconds=_SECONDS, title=_name(folders[0]), tables=tables, previews=previews, units=units)


def _name(folder: Path) -> str:
    return html.escape("/".join(folder.resolve().parts[-2:]))


def _last_row(folder: Path) -> str:
    """The last row of the log as a table."""
    rows = read_rows(folder / LOG_FILE)
    return _table(rows[-1:]) if rows else "<p>Waiting for the first hundred steps.</p>"


def _units(folder: Path) -> str:
    """The last validation unit by unit as a table, if there was one."""
    rows = read_rows(folder / UNITS)
    title = f"<h2>{_name(folder)}: expression units of held-out photos</h2>"
    return title + _table(rows) if rows else ""


def _table(rows: Sequence[Mapping[str, str]]) -> str:
    lines = [("th", list(rows[0])), *(("td", list(row.values())) for row in rows)]
    cells = ("".join(f"<{tag}>{html.escape(value)}</{tag}>" for value in line) for tag, line in lines)
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in cells) + "</table>"
