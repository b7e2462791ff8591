"""Signed calls, with their outcomes and times."""

import http.client
import json
import time
from dataclasses import dataclass

from console import Key
from signing import Request, signed
from wire import Connection

CAM, STS = "2019-01-16", "2018-08-13"
WHO_AM_I = ("GetCallerIdentity", STS)
NO_ANSWER = "no answer"
UNKNOWN_KEY = "AuthFailure.SecretIdNotFound"
FAULT = "InternalError"


@dataclass(frozen=True)
class Told:
    began: float
    ended: float
    # None if the call was accepted.
    refusal: str | None
    response: dict

    @property
    def accepted(self) -> bool:
        return self.refusal is None

    @property
    def decided(self) -> bool:
        """Returns whether the outcome reflects the key's state. That of a fault does not."""
        return self.refusal in (None, UNKNOWN_KEY)

    @property
    def seconds(self) -> float:
        return self.ended - self.began


def request(address: str, key: Key, action: tuple[str, str], body: bytes, late_by: int = 0) -> Request:
    made = signed(key, "POST", "/", body, host=address, late_by=late_by)
    return made.with_headers(("X-TC-Action", action[0]), ("X-TC-Version", action[1]))


def as_bytes(made: Request) -> bytes:
    """Returns the request as it goes over the wire."""
    lines = [f"{made.method} {made.target} HTTP/1.1", *(f"{name}: {value}" for name, value in made.headers)]
    return "\r\n".join([*lines, f"Content-Length: {len(made.body)}", "", ""]).encode() + made.body


def call(
    address: str,
    key: Key,
    action: tuple[str, str] = WHO_AM_I,
    body: bytes = b"{}",
    late_by: int = 0,
    **parameters: object,
) -> Told:
    """Makes a call on a new connection and returns its outcome, whatever it is."""
    if parameters:
        body = json.dumps(parameters).encode()
    began = time.monotonic()
    try:
        with Connection(address) as connection:
            began = time.monotonic()
            answer = connection.ask(request(address, key, action, body, late_by))
        response = json.loads(answer.body)["Response"]
        refusal = response.get("Error", {}).get("Code")
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        response, refusal = {}, NO_ANSWER
    return Told(began, time.monotonic(), refusal, response)


def get_status(address: str, path: str, seconds: float = 10) -> int | None:
    """Returns the status, or None if there is no response in that time."""
    host = http.client.HTTPConnection(address, timeout=seconds)
    try:
        host.request("GET", path)
        return host.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        host.close()
