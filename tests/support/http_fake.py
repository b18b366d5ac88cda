"""Other people's servers, on this machine's loopback: a source that answers as a test says, and a
real server for an application of ours."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import uvicorn
from starlette.applications import Starlette


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """One answer; `declared_length` is what the header claims where that is not the truth."""

    status: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    declared_length: int | None = None


def reply(document: object, status: int = 200, **headers: str) -> Reply:
    """A JSON answer."""
    return Reply(status, json.dumps(document).encode(), headers)


@dataclass
class FakeSource:
    """A server whose `answer` is called for each request; `asked` holds what came."""

    url: str
    answer: Callable[[Asked], Reply]
    asked: list[Asked] = field(default_factory=list)
    faults: list[Reply] = field(default_factory=list)

    def fail_with(self, *faults: Reply) -> None:
        """Give these answers first, one a request."""
        self.faults += faults

    def reply_to(self, request: Asked) -> Reply:
        """The next fault, or what the source has to say."""
        self.asked.append(request)
        return self.faults.pop(0) if self.faults else self.answer(request)


@contextmanager
def fake_source(answer: Callable[[Asked], Reply] = lambda _: reply({})) -> Iterator[FakeSource]:
    """A fake source that listens until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            given = source.reply_to(
                Asked(
                    self.command,
                    parts.path,
                    dict(parse_qsl(parts.query)),
                    dict(self.headers),
                    self.rfile.read(length),
                )
            )
            self.send_response(given.status)
            self.send_header("Content-Type", given.content_type)
            declared = len(given.body) if given.declared_length is None else given.declared_length
            self.send_header("Content-Length", str(declared))
            for name, value in given.headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            # A client that has seen enough goes away.
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(given.body)
            self.close_connection = True

        do_GET = do_POST = _serve  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Tests read `asked` instead."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    source = FakeSource(f"http://127.0.0.1:{server.server_port}", answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield source
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The base URL of a real server of the application, until the block ends."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    is_up = threading.Event()
    startup = server.startup

    async def start(sockets: Any = None) -> None:
        await startup(sockets)
        is_up.set()

    server.startup = start  # type: ignore[method-assign]
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        assert is_up.wait(20), "the server did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)
