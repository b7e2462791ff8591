"""Sends requests unchanged: nothing is encoded or normalised, and only the length of a body is added."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from signing import Request

SECONDS = 30


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def code(self) -> str:
        """The code of a refusal in the API's envelope."""
        return json.loads(self.body)["Response"]["Error"]["Code"]


class Raw(http.client.HTTPConnection):
    """Sends targets as the given bytes, which need not be ASCII."""

    def _encode_request(self, request: str) -> bytes:
        return request.encode("latin-1")


class Connection:
    """A persistent connection. If the peer closes it after a response, the next request fails."""

    def __init__(self, address: str):
        self._http = Raw(address, timeout=SECONDS)
        self._http.connect()
        # Never open a second connection implicitly.
        self._http.auto_open = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def send(self, request: Request) -> http.client.HTTPResponse:
        """Returns the response once its head has arrived."""
        self._http.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers:
            self._http.putheader(name, value)
        chunked = any(name == "Transfer-Encoding" for name, _ in request.headers)
        if not chunked and (request.body or request.method in ("POST", "PUT", "PATCH")):
            self._http.putheader("Content-Length", str(len(request.body)))
        self._http.endheaders(request.body)
        return self._http.getresponse()

    def ask(self, request: Request) -> Answer:
        response = self.send(request)
        return Answer(response.status, response.headers, response.read())


def ask(address: str, request: Request) -> Answer:
    with Connection(address) as connection:
        return connection.ask(request)


# --- Upgrades ---------------------------------------------------------------------------------------------------------

UPGRADE = (("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"))


@contextmanager
def raw(address: str, request: Request) -> Iterator[tuple[socket.socket, bytes]]:
    """Sends the head of a request. Yields the connection and the head of the response."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as client:
        lines = [
            f"{request.method} {request.target} HTTP/1.1",
            *(f"{name}: {value}" for name, value in request.headers),
        ]
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = client.recv(1)
            assert byte, head
            head += byte
        yield client, head


def status(head: bytes) -> int:
    return int(re.match(rb"HTTP/1\.1 (\d{3}) ", head)[1])


def echoed(client: socket.socket, data: bytes) -> bytes:
    client.sendall(data)
    got = b""
    while len(got) < len(data):
        part = client.recv(len(data))
        assert part, "cut"
        got += part
    return got


def is_cut(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
