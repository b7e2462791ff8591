"""Restrictions by the server's settings: the documented rate limits, and managing keys with keys."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest

import expect
from clients import ANY_WAY, Client, Clients, Refused
from conftest import sign_up
from console import Console, Key
from expect import CHINESE, ENGLISH
from refusals import refusal
from server import Server

OVER_RATE = "RequestLimitExceeded"
CHANGES_PER_SECOND = 5
READS_PER_SECOND = 20
# The number of parallel programs. There are many, so that even a slow machine exceeds the rate.
PROGRAMS = 8


@pytest.fixture
def limited_owner(limited_server: Server) -> Console:
    return sign_up(limited_server)


@pytest.fixture
def limited_key(limited_owner: Console) -> Key:
    return limited_owner.create_key()


@pytest.fixture
def crowd(clients: Clients, limited_server: Server) -> Client:
    """The client of the programs that use up the rate."""
    return clients.get(ANY_WAY, limited_server.api)


@pytest.fixture(scope="session")
def unhurried_key(limited_server: Server) -> Key:
    """A key of an account that stays below the rates."""
    return sign_up(limited_server).create_key()


@pytest.fixture(scope="session")
def closed_key(closed_server: Server) -> Key:
    return sign_up(closed_server).create_key()


def update(key: Key) -> tuple[Key, str, str, dict]:
    """Returns an update that changes nothing."""
    return key, "cam", "UpdateAccessKey", {"AccessKeyId": key.secret_id, "Status": "Active"}


def check_over_rate(crowd: Client, client: Client, *call: object, language: str = ENGLISH) -> None:
    """Calls until a call is refused, while others use up the rate. One client alone may be too slow for that."""
    with using_up(crowd, *call):
        while True:
            try:
                client.call(*call, language=language)
            except Refused as error:
                assert error.code == OVER_RATE
                assert expect.UUID.fullmatch(error.request_id)
                expect.message(error.code, error.message, language)
                return


by_any = pytest.mark.ways(lambda way: way is ANY_WAY)


# Each client with each version. All other ways differ only in how the request is sent.
@pytest.mark.ways(
    lambda way: (
        way.client != "tccli"
        and way.sign_method != "HmacSHA1"
        and way.http_method == "POST"
        and not way.unsigned_payload
    )
)
def test_more_changes_than_the_rate(
    crowd: Client, client: Client, limited_server: Server, limited_key: Key, unhurried_key: Key
) -> None:
    client = client.at(limited_server.api)
    for _ in range(CHANGES_PER_SECOND):
        client.call(*update(limited_key))
    for language in (ENGLISH, CHINESE) if client.way.is_v3 else (ENGLISH,):
        check_over_rate(crowd, client, *update(limited_key), language=language)
    # Each action and each account has a rate of its own.
    client.call(limited_key, "cam", "ListAccessKeys")
    client.call(*update(unhurried_key))


@by_any
def test_more_keys_than_the_rate(
    client: Client, limited_server: Server, limited_owner: Console, limited_key: Key
) -> None:
    client = client.at(limited_server.api)
    create = (limited_key, "cam", "CreateAccessKey")
    made = client.call(*create)["AccessKey"]
    limited_owner.keep_secret(made["SecretAccessKey"])

    def code() -> str:
        with pytest.raises(Refused) as raised:
            client.call(*create)
        return raised.value.code

    # Calls that fail count as well.
    assert {code() for _ in range(CHANGES_PER_SECOND - 1)} == {"OperationDenied.AccessKeyOverLimit"}
    with ThreadPoolExecutor(PROGRAMS) as pool:
        assert OVER_RATE in set(pool.map(lambda _: code(), range(60)))


@by_any
@pytest.mark.parametrize("call", [("cam", "ListAccessKeys"), ("cam", "GetUserAppId"), ("sts", "GetCallerIdentity")])
def test_more_reads_than_the_rate(
    crowd: Client, client: Client, limited_server: Server, limited_key: Key, call: tuple[str, str]
) -> None:
    client = client.at(limited_server.api)
    for _ in range(READS_PER_SECOND):
        client.call(limited_key, *call)
    check_over_rate(crowd, client, limited_key, *call)
    time.sleep(1)
    for _ in range(READS_PER_SECOND):
        client.call(limited_key, *call)


@pytest.mark.ways(lambda way: way.client == "tccli")
def test_what_tccli_says_when_others_have_used_up_the_rate(
    crowd: Client, client: Client, limited_server: Server, limited_key: Key
) -> None:
    client = client.at(limited_server.api)
    for language in (ENGLISH, CHINESE):
        check_over_rate(crowd, client, *update(limited_key), language=language)
    time.sleep(1)
    client.call(*update(limited_key))


@contextmanager
def using_up(client: Client, *call: object) -> Iterator[None]:
    """Runs programs that call in a loop in the background."""
    refused, stop = Event(), Event()

    def loop() -> None:
        while not stop.is_set():
            try:
                client.call(*call)
            except Refused as error:
                assert error.code == OVER_RATE
                refused.set()

    with ThreadPoolExecutor(PROGRAMS) as pool:
        looping = [pool.submit(loop) for _ in range(PROGRAMS)]
        try:
            while not refused.wait(0.1):
                # Report a failure at once instead of waiting.
                for program in looping:
                    if program.done():
                        program.result()
            yield
        finally:
            stop.set()
        for program in looping:
            program.result()


def test_keys_that_may_not_manage_keys(client: Client, closed_server: Server, closed_key: Key) -> None:
    client = client.at(closed_server.api)
    own = {"AccessKeyId": closed_key.secret_id}
    for action, params in [
        ("CreateAccessKey", {}),
        ("UpdateAccessKey", own | {"Status": "Inactive"}),
        ("DeleteAccessKey", own),
    ]:
        assert refusal(client, closed_key, "cam", action, params) == "AuthFailure.UnauthorizedOperation", action
    (listed,) = client.call(closed_key, "cam", "ListAccessKeys")["AccessKeys"]
    assert (listed["AccessKeyId"], listed["Status"]) == (closed_key.secret_id, "Active")
