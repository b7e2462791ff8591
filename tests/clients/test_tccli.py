"""Features that only tccli has."""

import json
import re
from pathlib import Path

import pytest

import expect
from clients import Client, Clients, Refused, Tccli
from console import Console, Key
from server import Server

pytestmark = pytest.mark.ways(lambda way: way.client == "tccli")


@pytest.fixture
def tccli(clients: Clients, way: object) -> Tccli:
    return clients.tccli


@pytest.fixture
def endpoint(server: Server) -> tuple[str, str]:
    return "--endpoint", f"http://{server.api}"


def test_the_endpoint_can_be_configured_once(owner: Console, key: Key, server: Server, tmp_path: Path) -> None:
    tccli = Tccli(tmp_path)
    endpoint = f"http://{server.api}"
    configured = tccli.run("configure", "set", "sts.endpoint", endpoint, "cam.endpoint", endpoint)
    assert (configured.returncode, configured.stderr) == (0, "")
    expect.identity(tccli.answer(key, "sts", "GetCallerIdentity"), owner.account.uin)
    listed = tccli.answer(key, "cam", "ListAccessKeys")["AccessKeys"]
    assert [entry["AccessKeyId"] for entry in listed] == [key.secret_id]


def test_a_file_of_parameters(tccli: Tccli, key: Key, endpoint: tuple[str, str], tmp_path: Path) -> None:
    file = tmp_path / "parameters.json"

    def refused(action: str, params: dict) -> str:
        file.write_text(json.dumps(params))
        with pytest.raises(Refused) as raised:
            tccli.answer(key, "cam", action, "--cli-input-json", f"file://{file}", *endpoint)
        return raised.value.code

    # On the command line, tccli itself requires mandatory parameters and checks types. From a file, it accepts
    # anything.
    assert refused("DeleteAccessKey", {}) == "MissingParameter"
    assert refused("UpdateAccessKey", {"AccessKeyId": key.secret_id}) == "MissingParameter"
    assert refused("UpdateAccessKey", {"AccessKeyId": key.secret_id, "Status": 1}) == "InvalidParameter"
    assert refused("GetSecurityLastUsed", {"SecretIdList": []}) == "InvalidParameterValue"
    file.write_text(json.dumps({"SecretIdList": [key.secret_id]}))
    answer = tccli.answer(key, "cam", "GetSecurityLastUsed", "--cli-input-json", f"file://{file}", *endpoint)
    assert [row["SecretId"] for row in answer["SecretIdLastUsedRows"]] == [key.secret_id]


def test_a_product_that_is_not_served(tccli: Tccli, key: Key, endpoint: tuple[str, str]) -> None:
    with pytest.raises(Refused) as raised:
        tccli.answer(key, "cvm", "DescribeRegions", "--language", "en-US", *endpoint)
    assert raised.value.code == "NoSuchVersion"
    expect.message(raised.value.code, raised.value.message, "en-US")


def test_its_own_ways_to_show_an_answer(tccli: Tccli, owner: Console, key: Key, endpoint: tuple[str, str]) -> None:
    ids = tccli.run_with(key, "cam", "ListAccessKeys", "--filter", "AccessKeys[].AccessKeyId", *endpoint)
    assert json.loads(ids.stdout) == [key.secret_id]
    text = tccli.run_with(key, "sts", "GetCallerIdentity", "--output", "text", *endpoint)
    assert owner.account.uin in text.stdout.split("\t")


def test_its_log_does_not_hold_a_secret_that_came_from_the_environment(tccli: Tccli, client: Client, key: Key) -> None:
    client.call(key, "sts", "GetCallerIdentity")
    log = (tccli.home / ".tccli" / "log" / "tccli.log").read_text()
    assert re.search("sts GetCallerIdentity", log)
    assert key.secret_key not in log
