"""A back end that knows nothing of signatures, and records requests as they came over the wire."""

import hashlib
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from signing import UNSIGNED

STREAM = "/stream"
PATIENCE = 30


@dataclass(frozen=True)
class Received:
    method: str
    # The target, as in the request line.
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    # The connection that the request came on.
    connection: tuple[str, int]

    def all(self, name: str) -> list[str]:
        return [value for known, value in self.headers if known.lower() == name.lower()]

    def get(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) <= 1, f"{name} stands {len(values)} times"
        return values[0] if values else None


class _Server(ThreadingHTTPServer):
    def handle_error(self, *client: object) -> None:
        """Ignores clients that disconnect before the response."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(*client)


class BackEnd:
    """Responds with 200, or with 422 if the body is not the one that was signed. Can also stream and echo."""

    def __init__(self) -> None:
        self._received: list[Received] = []
        # Set to send the rest of a stream.
        self.go_on = threading.Event()
        back_end = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = PATIENCE
            disable_nagle_algorithm = True

            def handle_one_request(self) -> None:
                # The standard library merges leading slashes when it reads the request line.
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                back_end._answer(self)
                self.wfile.flush()

            def log_message(self, *_: object) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self) -> list[Received]:
        """Returns the requests received since the last call."""
        taken, self._received = self._received, []
        return taken

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        method, target, _ = handler.raw_requestline.decode("latin-1").split(" ")
        body = _body(handler)
        received = Received(method, target, tuple(handler.headers.items()), body, handler.client_address)
        self._received.append(received)
        if handler.headers.get("Upgrade") == "websocket":
            _echo(handler)
        elif target == STREAM:
            self._stream(handler)
        elif not _is_signed(received):
            _say(handler, 422, b"this is not the body that was signed\n")
        else:
            _say(handler, 200, b"" if method == "HEAD" else b"served\n")

    def _stream(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"6\r\nfirst\n\r\n")
        handler.wfile.flush()
        if self.go_on.wait(PATIENCE):
            handler.wfile.write(b"5\r\nlast\n\r\n0\r\n\r\n")


def _is_signed(received: Received) -> bool:
    """The check that a back end behind a proxy must make: only it sees both the body and the signed hash."""
    told = received.get("X-Latchkey-Content-SHA256")
    return told in (UNSIGNED, hashlib.sha256(received.body).hexdigest())


def _say(handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", "text/plain")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def _body(handler: BaseHTTPRequestHandler) -> bytes:
    if handler.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
    body = b""
    while size := int(handler.rfile.readline().split(b";")[0], 16):
        body += handler.rfile.read(size)
        handler.rfile.readline()
    while handler.rfile.readline().strip():
        pass
    return body


def _echo(handler: BaseHTTPRequestHandler) -> None:
    """Echoes bytes. This is not a real WebSocket, but guards do not look into its frames."""
    handler.send_response(101)
    handler.send_header("Connection", "Upgrade")
    handler.send_header("Upgrade", "websocket")
    handler.end_headers()
    handler.wfile.flush()
    handler.close_connection = True
    try:
        while data := handler.connection.recv(1024):
            handler.connection.sendall(data)
    except ConnectionError:
        pass
