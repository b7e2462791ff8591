"""Signature version 3, TC3-HMAC-SHA256, implemented from its public description, without the server's code."""

import hashlib
import hmac
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from console import Key

ALGORITHM = "TC3-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
JSON = "application/json"
# The client's name for the service. The server accepts any name in the key derivation.
SERVICE = "orders"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def signature(
    secret_key: str, service: str, timestamp: int, method: str, target: str, headers: dict[str, str], payload: str
) -> str:
    """Returns a signature over `headers`, by lower-case name, and `payload`, which is a hash."""
    path, _, query = target.partition("?")
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    names = ";".join(sorted(headers))
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}"
    date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    to_sign = f"{ALGORITHM}\n{timestamp}\n{date}/{service}/tc3_request\n{sha256(canonical.encode())}"
    key = f"TC3{secret_key}".encode()
    for part in (date, service, "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, to_sign.encode(), "sha256").hexdigest()


@dataclass(frozen=True)
class Request:
    """A request as it goes over the wire. Header names may occur more than once, and `target` is sent unchanged."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def get(self, name: str) -> str:
        (value,) = [value for known, value in self.headers if known.lower() == name.lower()]
        return value

    def with_headers(self, *more: tuple[str, str]) -> "Request":
        return replace(self, headers=self.headers + more)

    def without(self, *names: str) -> "Request":
        lower = [name.lower() for name in names]
        return replace(self, headers=tuple(pair for pair in self.headers if pair[0].lower() not in lower))

    def with_target(self, target: str) -> "Request":
        return replace(self, target=target)

    def with_value(self, name: str, value: str) -> "Request":
        """Replaces the value of an existing header."""
        assert self.get(name) != value
        return replace(self, headers=tuple((n, value if n.lower() == name.lower() else v) for n, v in self.headers))


def signed(
    key: Key,
    method: str = "GET",
    target: str = "/",
    body: bytes = b"",
    *,
    host: str,
    content_type: str = JSON,
    late_by: int = 0,
    payload: str | None = None,
    also: tuple[tuple[str, str], ...] = (),
) -> Request:
    """Returns a request as a client sends it, with the hash of its body. `also` are further headers to sign."""
    timestamp = int(time.time()) - late_by
    payload = payload or sha256(body)
    covered = {"content-type": content_type, "host": host} | {name.lower(): value.lower() for name, value in also}
    hashed = sha256(UNSIGNED.encode()) if payload == UNSIGNED else payload
    made = signature(key.secret_key, SERVICE, timestamp, method, target, covered, hashed)
    date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    credential = f"{key.secret_id}/{date}/{SERVICE}/tc3_request"
    authorization = f"{ALGORITHM} Credential={credential}, SignedHeaders={';'.join(sorted(covered))}, Signature={made}"
    headers = [("Host", host), ("Content-Type", content_type), ("X-TC-Timestamp", str(timestamp)), *also]
    if body or payload == UNSIGNED:
        headers.append(("X-TC-Content-SHA256", payload))
    return Request(method, target, (*headers, ("Authorization", authorization)), body)
