"""One server for all tests, and for each test an account of its own whose owner is signed in."""

import os
import secrets
from collections.abc import Iterator

import pytest

from console import Console, Key
from server import Server, binary

for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not os.access(binary(), os.X_OK):
        pytest.exit(f"there is no program at {binary()}; run 'cargo build', or set LATCHKEY_BIN", returncode=2)
    running = Server(tmp_path_factory.mktemp("latchkey"))
    yield running
    assert running.stop() == 0, "the server does not stop cleanly"
    faults = [line for line in running.log.read_text().splitlines() if '"level":"ERROR"' in line]
    assert not faults, "the server has logged faults that no client noticed"


@pytest.fixture
def owner(server: Server) -> Console:
    account = server.create_account(f"owner-{secrets.token_hex(4)}", secrets.token_urlsafe(18))
    console = Console(server.console, account)
    console.sign_in()
    return console


@pytest.fixture
def key(owner: Console, server: Server) -> Iterator[Key]:
    made = owner.create_key()
    yield made
    assert made.secret_key not in server.log.read_text(), "a SecretKey is in the log"


@pytest.fixture
def unknown_id() -> str:
    """The shape of a SecretId, and nobody's."""
    return "AKID" + secrets.token_hex(16)
