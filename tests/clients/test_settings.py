"""What the server's settings forbid: more calls than the documented rates, and managing keys with keys."""

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


@pytest.fixture
def limited_owner(limited_server: Server) -> Console:
    return sign_up(limited_server)


@pytest.fixture
def limited_key(limited_owner: Console) -> Key:
    return limited_owner.create_key()


@pytest.fixture(scope="session")
def unhurried_key(limited_server: Server) -> Key:
    """Of an account that keeps to the rates."""
    return sign_up(limited_server).create_key()


@pytest.fixture(scope="session")
def closed_key(closed_server: Server) -> Key:
    return sign_up(closed_server).create_key()


def update(key: Key) -> tuple[Key, str, str, dict]:
    """A change that changes nothing."""
    return key, "cam", "UpdateAccessKey", {"AccessKeyId": key.secret_id, "Status": "Active"}


def check_over_rate(client: Client, *call: object, tries: int, language: str = ENGLISH) -> None:
    """Calls until it is refused. Other calls refill the rate meanwhile, so not every call is."""
    for _ in range(tries):
        try:
            client.call(*call, language=language)
        except Refused as error:
            assert error.code == OVER_RATE
            assert expect.UUID.fullmatch(error.request_id)
            expect.message(error.code, error.message, language)
            return
    pytest.fail(f"{tries} calls were not too many")


by_any = pytest.mark.ways(lambda way: way is ANY_WAY)


# Each client with each version; all that differs elsewhere is how the rest is sent.
@pytest.mark.ways(
    lambda way: (
        way.client != "tccli"
        and way.sign_method != "HmacSHA1"
        and way.http_method == "POST"
        and not way.unsigned_payload
    )
)
def test_more_changes_than_the_rate(
    client: Client, limited_server: Server, limited_key: Key, unhurried_key: Key
) -> None:
    client = client.at(limited_server.api)
    for _ in range(CHANGES_PER_SECOND):
        client.call(*update(limited_key))
    for language in (ENGLISH, CHINESE) if client.way.is_v3 else (ENGLISH,):
        check_over_rate(client, *update(limited_key), tries=60, language=language)
    # Each action and each account by itself.
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

    # Those that fail count, too.
    assert {code() for _ in range(CHANGES_PER_SECOND - 1)} == {"OperationDenied.AccessKeyOverLimit"}
    assert OVER_RATE in {code() for _ in range(60)}


@by_any
@pytest.mark.parametrize("call", [("cam", "ListAccessKeys"), ("cam", "GetUserAppId"), ("sts", "GetCallerIdentity")])
def test_more_reads_than_the_rate(
    client: Client, limited_server: Server, limited_key: Key, call: tuple[str, str]
) -> None:
    client = client.at(limited_server.api)
    for _ in range(READS_PER_SECOND):
        client.call(limited_key, *call)
    check_over_rate(client, limited_key, *call, tries=400)
    time.sleep(1)
    for _ in range(READS_PER_SECOND):
        client.call(limited_key, *call)


@pytest.mark.ways(lambda way: way.client == "tccli")
def test_what_tccli_says_when_others_have_used_up_the_rate(
    clients: Clients, client: Client, limited_server: Server, limited_key: Key
) -> None:
    client = client.at(limited_server.api)
    with using_up(clients.get(ANY_WAY, limited_server.api), limited_key):
        for language in (ENGLISH, CHINESE):
            check_over_rate(client, *update(limited_key), tries=10, language=language)
    time.sleep(1)
    client.call(*update(limited_key))


@contextmanager
def using_up(client: Client, key: Key) -> Iterator[None]:
    """A program that calls in a loop, beside."""
    refused, stop = Event(), Event()

    def loop() -> None:
        while not stop.is_set():
            try:
                client.call(*update(key))
            except Refused as error:
                assert error.code == OVER_RATE
                refused.set()

    with ThreadPoolExecutor(1) as pool:
        looping = pool.submit(loop)
        try:
            assert refused.wait(30)
            yield
        finally:
            stop.set()
        looping.result()


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
