"""Servers for all tests, every way to call them, and accounts whose owners are signed in to the console."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clients import WAYS, Client, Clients, Way
from console import Console, Key
from server import Server, binary

for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
    os.environ.pop(name, None)
    os.environ.pop(name.upper(), None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Restricts a test marked `ways` to the ways for which the marker's function returns true."""

    def is_wanted(item: pytest.Item) -> bool:
        marker = item.get_closest_marker("ways")
        return marker is None or marker.args[0](item.callspec.params["way"])

    config.hook.pytest_deselected(items=[item for item in items if not is_wanted(item)])
    items[:] = filter(is_wanted, items)
    # In parallel runs, a module's tests with the same client stay together, because they share an account.
    for item in items:
        item.add_marker(pytest.mark.xdist_group(f"{item.callspec.params['way'].client} {item.path.stem}"))


@contextmanager
def running(directory: Path, *settings: str) -> Iterator[Server]:
    if not os.access(binary(), os.X_OK):
        pytest.exit(f"there is no program at {binary()}; run 'cargo build', or set LATCHKEY_BIN", returncode=2)
    server = Server(directory, *settings)
    yield server
    assert server.stop() == 0, "the server does not stop cleanly"
    server.check_log()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server"), "--api-rate-limits", "false") as server:
        yield server


@pytest.fixture(scope="session")
def limited_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the documented rate limits, which are the default."""
    with running(tmp_path_factory.mktemp("limited")) as server:
        yield server


@pytest.fixture(scope="session")
def closed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which keys may not manage keys."""
    settings = ("--api-rate-limits", "false", "--api-manages-keys", "false")
    with running(tmp_path_factory.mktemp("closed"), *settings) as server:
        yield server


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    clients = Clients(tmp_path_factory.mktemp("clients"))
    yield clients
    assert clients.node.stop() == 0


def sign_up(server: Server) -> Console:
    """Creates an account and signs its owner in."""
    account = server.create_account(f"owner-{secrets.token_hex(4)}", secrets.token_urlsafe(18))
    console = Console(server, account)
    console.sign_in()
    return console


# Tests of the same way run one after another, in an account of their client with one key.


@pytest.fixture(scope="session", params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Way:
    return request.param


@pytest.fixture(scope="session")
def client(clients: Clients, way: Way, server: Server) -> Client:
    return clients.get(way, server.api)


@pytest.fixture(scope="session")
def owners(server: Server) -> dict[str, tuple[Console, Key]]:
    return {}


@pytest.fixture(scope="session")
def owner(way: Way, owners: dict[str, tuple[Console, Key]], server: Server) -> Console:
    if way.client not in owners:
        console = sign_up(server)
        owners[way.client] = console, console.create_key()
    return owners[way.client][0]


@pytest.fixture(scope="session")
def key(way: Way, owner: Console, owners: dict[str, tuple[Console, Key]]) -> Key:
    return owners[way.client][1]


@pytest.fixture
def second_key(owner: Console, key: Key) -> Iterator[Key]:
    yield owner.create_key()
    owner.remove_all_but(key)


@pytest.fixture
def room_for_a_key(owner: Console, key: Key) -> Iterator[None]:
    yield
    owner.remove_all_but(key)


@pytest.fixture(scope="session")
def foreign_key(server: Server) -> Key:
    """A key of another account."""
    return sign_up(server).create_key()


@pytest.fixture
def unknown_id() -> str:
    """A well-formed SecretId that does not exist."""
    return "AKID" + secrets.token_hex(16)
