"""A process that makes calls back to back on many connections, and records the start and end of each.

Reads a line of JSON from stdin: the servers, the request for each of them, the number of connections, the seconds.
Writes three doubles per call to stdout: the start, the end, and the outcome, which is one of those below.
"""

import asyncio
import base64
import json
import sys
import time
from array import array

ACCEPTED, REFUSED, FAILED = 0.0, 1.0, 2.0


class Caller(asyncio.Protocol):
    def __init__(self, request: bytes, until: float, calls: array, over: asyncio.Future):
        self._request = request
        self._until = until
        self._calls = calls
        self._over = over
        self._answer = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._send()

    def _send(self) -> None:
        self._began = time.monotonic()
        if self._began >= self._until:
            self._transport.close()
            return
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator:
            return
        if len(body) >= _length(head):
            self._calls.extend((self._began, time.monotonic(), _outcome(head, body)))
            self._answer = b""
            self._send()

    def connection_lost(self, _: Exception | None) -> None:
        if time.monotonic() < self._until:
            self._calls.extend((self._began, time.monotonic(), FAILED))
        if not self._over.done():
            self._over.set_result(None)


def _length(head: bytes) -> int:
    lower = head.lower()
    at = lower.index(b"content-length:") + 15
    end = lower.find(b"\r\n", at)
    return int(lower[at : end if end >= 0 else None])


def _outcome(head: bytes, body: bytes) -> float:
    if b'"Error"' not in body and b'"valid":false' not in body:
        return ACCEPTED if head.startswith(b"HTTP/1.1 200") else FAILED
    return REFUSED if b"SecretIdNotFound" in body else FAILED


async def _keep_calling(address: str, request: bytes, until: float, calls: array) -> None:
    """Makes calls on a connection, and on a new one if it breaks."""
    host, _, port = address.partition(":")
    loop = asyncio.get_running_loop()
    while time.monotonic() < until:
        over = loop.create_future()
        began = time.monotonic()
        try:
            await loop.create_connection(lambda over=over: Caller(request, until, calls, over), host, int(port))
        except OSError:
            calls.extend((began, time.monotonic(), FAILED))
            await asyncio.sleep(0.05)
            continue
        await over


async def _run(plan: dict) -> array:
    calls = array("d")
    until = time.monotonic() + plan["seconds"]
    requests = [(one["address"], base64.b64decode(one["request"])) for one in plan["servers"]]
    async with asyncio.TaskGroup() as group:
        for at in range(plan["connections"]):
            group.create_task(_keep_calling(*requests[at % len(requests)], until, calls))
    return calls


if __name__ == "__main__":
    asyncio.run(_run(json.loads(sys.stdin.readline()))).tofile(sys.stdout.buffer)
