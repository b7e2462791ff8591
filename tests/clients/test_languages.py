"""The language of error messages."""

import pytest

import expect
from clients import Client, Refused
from console import Key
from expect import CHINESE, ENGLISH, JAPANESE

CODE = "OperationDenied.UinNotMatch"


def told(client: Client, key: Key, **more: object) -> str:
    with pytest.raises(Refused) as raised:
        client.call(key, "cam", "ListAccessKeys", {"TargetUin": 1}, **more)
    assert raised.value.code == CODE
    return raised.value.message


# The clients accept no other language. Japanese is requested with the header that browsers send.
@pytest.mark.parametrize("language", [ENGLISH, CHINESE])
def test_the_language_asked_for(client: Client, key: Key, language: str) -> None:
    expect.message(CODE, told(client, key, language=language), language)


@pytest.mark.ways(lambda way: way.is_v3)
def test_a_client_that_was_told_nothing(client: Client, key: Key) -> None:
    # The Python SDK, and so tccli, requests Chinese by default. Node requests no language.
    own = ENGLISH if client.way.client.startswith("node") else CHINESE
    expect.message(CODE, told(client, key, language=None), own)


@pytest.mark.ways(lambda way: way.client.startswith("node"))
def test_a_header_as_browsers_send_it(client: Client, key: Key) -> None:
    chinese = {"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}
    expect.message(CODE, told(client, key, language=None, headers=chinese), CHINESE)
    expect.message(CODE, told(client, key, language=None, headers={"Accept-Language": "de"}), ENGLISH)
    japanese = {"Accept-Language": "ja,en-US;q=0.9,en;q=0.8"}
    expect.message(CODE, told(client, key, language=None, headers=japanese), JAPANESE)


@pytest.mark.ways(lambda way: way.is_free and way.is_v3)
def test_the_clients_setting_comes_before_the_header(client: Client, key: Key) -> None:
    chinese = {"Accept-Language": CHINESE}
    expect.message(CODE, told(client, key, language=ENGLISH, headers=chinese), ENGLISH)
