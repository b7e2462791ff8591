"""Features that only the SDKs have."""

import pytest

import expect
from clients import Client
from console import Console, Key
from server import Server

IDENTITY = ("sts", "GetCallerIdentity")


@pytest.mark.ways(lambda way: way.client != "tccli")
def test_the_server_by_its_name(client: Client, owner: Console, key: Key, server: Server) -> None:
    # As the service, Node signs the part of the endpoint before the first dot, here with the port.
    client = client.at(server.api.replace("127.0.0.1", "localhost"))
    expect.identity(client.call(key, *IDENTITY), owner.account.uin)


@pytest.mark.ways(lambda way: way.client.startswith("python"))
def test_the_server_by_its_address_with_the_scheme(client: Client, owner: Console, key: Key, server: Server) -> None:
    # As tccli does. The scheme becomes part of the Host header.
    expect.identity(client.at(f"http://{server.api}").call(key, *IDENTITY), owner.account.uin)


@pytest.mark.ways(lambda way: way.client == "python_common")
def test_an_action_in_lower_case(client: Client, key: Key) -> None:
    # The SDK corrects the case.
    assert client.call(key, "cam", "listAccessKeys")["AccessKeys"]


@pytest.mark.ways(lambda way: way.client == "node_common")
def test_an_empty_token(client: Client, owner: Console, key: Key) -> None:
    # An unset variable leads to an empty token, which Node sends.
    expect.identity(client.call(key, *IDENTITY, token=""), owner.account.uin)


@pytest.mark.ways(lambda way: way.is_free)
def test_two_honest_calls_with_one_signature(client: Client, owner: Console, key: Key) -> None:
    # Both calls are made within one second, and version 3 signs neither the action nor the version.
    for _ in range(3):
        expect.identity(client.call(key, *IDENTITY), owner.account.uin)
        client.call(key, "cam", "GetUserAppId")
