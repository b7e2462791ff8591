"""What only the SDKs let their users do."""

import pytest

import expect
from clients import Client
from console import Console, Key
from server import Server

IDENTITY = ("sts", "GetCallerIdentity")


@pytest.mark.ways(lambda way: way.client != "tccli")
def test_the_server_by_its_name(client: Client, owner: Console, key: Key, server: Server) -> None:
    # Node signs with what stands before the first dot as the service: the port belongs to it.
    client = client.at(server.api.replace("127.0.0.1", "localhost"))
    expect.identity(client.call(key, *IDENTITY), owner.account.uin)


@pytest.mark.ways(lambda way: way.client.startswith("python"))
def test_the_server_by_its_address_with_the_scheme(client: Client, owner: Console, key: Key, server: Server) -> None:
    # As tccli does it. It goes into the Host header, scheme and all.
    expect.identity(client.at(f"http://{server.api}").call(key, *IDENTITY), owner.account.uin)


@pytest.mark.ways(lambda way: way.client == "python_common")
def test_an_action_in_lower_case(client: Client, key: Key) -> None:
    # It is the SDK that writes it as it must be.
    assert client.call(key, "cam", "listAccessKeys")["AccessKeys"]


@pytest.mark.ways(lambda way: way.client == "node_common")
def test_an_empty_token(client: Client, owner: Console, key: Key) -> None:
    # What credentials from a variable that is not set come to. Node sends it along.
    expect.identity(client.call(key, *IDENTITY, token=""), owner.account.uin)


@pytest.mark.ways(lambda way: way.is_free)
def test_two_honest_calls_with_one_signature(client: Client, owner: Console, key: Key) -> None:
    # Within a second, and neither the action nor the version is signed by version 3.
    for _ in range(3):
        expect.identity(client.call(key, *IDENTITY), owner.account.uin)
        client.call(key, "cam", "GetUserAppId")
