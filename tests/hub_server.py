"""A local server that hands out SavedModel folders as TensorFlow Hub does, and one that fails on purpose."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

GZIP = "application/gzip"


def archive(folder: Path) -> bytes:
    """The gzipped tar of a folder's content, as a Hub packs it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.add(folder, arcname=".")
    return packed.getvalue()


@dataclass
class Hub:
    """A running server: `requests` are the paths that it was asked for."""

    root: Path
    answer: Answer
    port: int = 0
    requests: list[str] = field(default_factory=list)
    closing: Event = field(default_factory=Event)

    def handle(self, path: str) -> str:
        """What a config gives for the model in `root/path`."""
        return f"http://127.0.0.1:{self.port}/{path}"


class Handler(BaseHTTPRequestHandler):
    """One request."""

    hub: Hub

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        self.hub.requests.append(self.path)
        folder = self.hub.root / asked.path.strip("/")
        if "compressed" not in parse_qs(asked.query).get("tf-hub-format", []):
            self.send(b"<html>a page about the model</html>", kind="text/html")
        elif not folder.is_dir():
            self.send_error(404)
        else:
            self.hub.answer(self, archive(folder))

    def send(self, data: bytes, *, kind: str = GZIP, length: int | None = None) -> None:
        """Answers 200 with the data; `length` is what the header claims."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Writes nothing."""


Answer = Callable[[Handler, bytes], None]


def whole(request: Handler, data: bytes) -> None:
    """As it should be."""
    request.send(data)


def redirected(request: Handler, data: bytes) -> None:
    """As tfhub.dev does, which sends on to the store that holds the archive."""
    if "store" in request.path:
        request.send(data)
        return
    request.send_response(302)
    request.send_header("Location", f"{request.path}&store=1")
    request.end_headers()


def unmeasured(request: Handler, data: bytes) -> None:
    """Does not say how long the archive is."""
    request.send_response(200)
    request.send_header("Content-Type", GZIP)
    request.end_headers()
    request.wfile.write(data)


def status(code: int) -> Answer:
    """Answers with an error."""
    return lambda request, data: request.send_error(code)


def page(request: Handler, data: bytes) -> None:
    """A web page instead of the archive."""
    request.send(b"<html>Sign in</html>", kind="text/html")


def empty(request: Handler, data: bytes) -> None:
    """Nothing at all."""
    request.send(b"")


def damaged(request: Handler, data: bytes) -> None:
    """All bytes are there, half of them wrong."""
    request.send(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))


def broken_off(request: Handler, data: bytes) -> None:
    """Closes the connection in the middle."""
    request.send(data[: len(data) // 2], length=len(data))


def broken_off_between_files(request: Handler, data: bytes) -> None:
    """Closes the connection where the archive could as well end."""
    bare = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar, tarfile.open(fileobj=bare, mode="w") as cut:
        for member in tar:
            cut.addfile(member, tar.extractfile(member) if member.isfile() else None)
            end = cut.offset
            if member.name.endswith("saved_model.pb"):
                break
    request.send(bare.getvalue()[:end], length=len(data) + end)


def cut_short(request: Handler, data: bytes) -> None:
    """Half an archive, and nothing says that there was more."""
    request.send(data[: len(data) // 2])


def silent(request: Handler, data: bytes) -> None:
    """Accepts the connection and says nothing."""
    request.hub.closing.wait(60)


def stalled(request: Handler, data: bytes) -> None:
    """Says nothing more in the middle."""
    request.send(data[: len(data) // 2], length=len(data))
    request.wfile.flush()
    request.hub.closing.wait(60)


def planted(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> Answer:
    """An archive with one more entry."""

    def answer(request: Handler, data: bytes) -> None:
        packed = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(data)) as tar, tarfile.open(fileobj=packed, mode="w:gz") as more:
            for member in tar:
                more.addfile(member, tar.extractfile(member) if member.isfile() else None)
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size = kind, link, 4 if kind == tarfile.REGTYPE else 0
            more.addfile(entry, io.BytesIO(b"evil"))
        request.send(packed.getvalue())

    return answer


@contextmanager
def serving(root: Path, answer: Answer = whole) -> Iterator[Hub]:
    """Serves `GET /<path>?tf-hub-format=compressed` from the folder `root/<path>`, on a free port."""
    hub = Hub(root, answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    server.daemon_threads, hub.port = True, server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
