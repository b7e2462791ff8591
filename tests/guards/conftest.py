"""A back end, every way to guard it, and on each server an account whose owner is signed in to the console."""

import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

import proxies
from backend import BackEnd, Received
from console import Console, Key
from server import Server, binary
from signing import Request, signed
from wire import UPGRADE, Answer, Connection, ask

for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)

HOST = "orders.example"
BUILT_IN = "guard"
PRESIGNED = ("--guard-aws4-presigned", "1h")
# Traefik and Envoy only if they are installed.
WAYS = [name for name in proxies.ALL if name in proxies.MANDATORY or proxies.program(name)] + [BUILT_IN]


@dataclass(frozen=True)
class Site:
    """A server, and an account on it with a key."""

    server: Server
    owner: Console
    key: Key

    @property
    def guard(self) -> str:
        """The HOST:PORT of the guard's listener."""
        (address,) = re.findall(r"^guard http://(\S+)\n", self.server.stdout.read_text(), re.MULTILINE)
        return address

    def signed(self, *request: object, **more: object) -> Request:
        """Signs a request for a back end named orders.example."""
        return signed(self.key, *request, **{"host": HOST} | more)


@dataclass(frozen=True)
class Outcome:
    answer: Answer
    # The requests that the back end received in the meantime.
    received: list[Received]

    @property
    def was_served(self) -> bool:
        return self.answer.status == 200

    def served(self) -> Received:
        """Returns the request as the back end received it. It must have passed."""
        assert self.answer.status == 200, (self.answer.status, self.answer.body)
        (received,) = self.received
        return received

    def check_refused(self, *statuses: int) -> None:
        assert not self.received, "the back end got it"
        assert self.answer.status in (statuses or (401,)), (self.answer.status, self.answer.body)


@dataclass(frozen=True)
class Door:
    """An entry point that guards the back end: a proxy that asks `/forward-auth`, or the built-in guard."""

    way: str
    address: str
    site: Site
    back_end: BackEnd

    @property
    def is_proxy(self) -> bool:
        return self.way != BUILT_IN

    @property
    def key(self) -> Key:
        return self.site.key

    @property
    def owner(self) -> Console:
        return self.site.owner

    def signed(self, method: str = "GET", target: str = "/", body: bytes = b"", **more: object) -> Request:
        more = {"key": self.key, "host": self.address} | more
        return signed(method=method, target=target, body=body, **more)

    def upgrade(self, key: Key | None = None) -> Request:
        return self.signed("GET", "/live", key=key or self.key).with_headers(*UPGRADE)

    def ask(self, request: Request, on: Connection | None = None) -> Outcome:
        self.back_end.take()
        answer = on.ask(request) if on else ask(self.address, request)
        return Outcome(answer, self.back_end.take())


@contextmanager
def running(directory: Path, *settings: str) -> Iterator[Site]:
    if not os.access(binary(), os.X_OK):
        pytest.exit(f"there is no program at {binary()}; run 'cargo build', or set LATCHKEY_BIN", returncode=2)
    server = Server(directory, "--api-rate-limits", "false", *settings)
    account = server.create_account(f"owner-{secrets.token_hex(4)}", secrets.token_urlsafe(18))
    owner = Console(server, account)
    owner.sign_in()
    yield Site(server, owner, owner.create_key())
    assert server.stop() == 0, "the server does not stop cleanly"
    server.check_log()


@pytest.fixture(scope="session")
def back_end() -> Iterator[BackEnd]:
    back_end = BackEnd()
    yield back_end
    back_end.stop()


@pytest.fixture(scope="session")
def verify_token() -> str:
    return secrets.token_urlsafe(24)


@pytest.fixture(scope="session")
def other_verify_token() -> str:
    return secrets.token_urlsafe(24)


@pytest.fixture(scope="session")
def lenient_token() -> str:
    return secrets.token_urlsafe(24)


@pytest.fixture(scope="session")
def trusting(tmp_path_factory: pytest.TempPathFactory, verify_token: str, other_verify_token: str) -> Iterator[Site]:
    """A server that trusts this machine to describe the original request in headers."""
    directory = tmp_path_factory.mktemp("trusting")
    tokens = directory / "tokens"
    tokens.write_text(f"{other_verify_token}\n\n  {verify_token}\n")
    trusts = ("--trusted-proxy", "127.0.0.0/8", "--verify-token-file", str(tokens))
    with running(directory, *trusts, *PRESIGNED) as site:
        yield site


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory, back_end: BackEnd) -> Iterator[Site]:
    """A server that trusts nobody's forwarded headers, and guards the back end itself."""
    guard = ("--guard", "127.0.0.1:0", "--guard-upstream", f"http://{back_end.address}")
    with running(tmp_path_factory.mktemp("plain"), *guard, *PRESIGNED) as site:
        yield site


@pytest.fixture(scope="session")
def lenient(tmp_path_factory: pytest.TempPathFactory, back_end: BackEnd, lenient_token: str) -> Iterator[Site]:
    """Like both of these, and payloads need not be signed."""
    directory = tmp_path_factory.mktemp("lenient")
    tokens = directory / "tokens"
    tokens.write_text(lenient_token)
    guard = ("--guard", "127.0.0.1:0", "--guard-upstream", f"http://{back_end.address}")
    settings = (
        "--guard-unsigned-payload",
        "true",
        "--trusted-proxy",
        "127.0.0.0/8",
        "--verify-token-file",
        str(tokens),
    )
    with running(directory, *guard, *settings) as site:
        yield site


@pytest.fixture(scope="session")
def abandoned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server whose back end is down: its port is reserved, but nothing listens on it."""
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        upstream = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        directory = tmp_path_factory.mktemp("abandoned")
        with running(directory, "--guard", "127.0.0.1:0", "--guard-upstream", upstream) as site:
            yield site


@pytest.fixture(scope="session", params=WAYS)
def door(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, back_end: BackEnd) -> Iterator[Door]:
    way = request.param
    if way == BUILT_IN:
        site = request.getfixturevalue("plain")
        yield Door(way, site.guard, site, back_end)
        return
    if not proxies.program(way):
        pytest.exit(f"{way} is not installed; run scripts/test guards, which installs it", returncode=2)
    site = request.getfixturevalue("trusting")
    proxy = proxies.Proxy(way, tmp_path_factory.mktemp(way), site.server.api, back_end.address)
    yield Door(way, proxy.address, site, back_end)
    proxy.stop()


@pytest.fixture
def unknown_key() -> Key:
    """A well-formed key pair that does not exist."""
    return Key("AKID" + secrets.token_hex(16), secrets.token_hex(16))
