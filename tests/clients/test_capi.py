"""The small client in the vendor's other tools, which sends forms with the content type of JSON."""

import json
import subprocess

import pytest

import expect
from clients import ANY_WAY, HERE
from console import Console, Key
from server import Server


@pytest.mark.ways(lambda way: way == ANY_WAY)
@pytest.mark.parametrize("signature_method", ["sha1", "sha256"])
@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("is_v3", [False, True])
def test_who_the_key_is(
    owner: Console, key: Key, server: Server, is_v3: bool, method: str, signature_method: str
) -> None:
    credential = {"secretId": key.secret_id, "secretKey": key.secret_key}
    # Version 3 is sent with POST only.
    method = "POST" if is_v3 else method
    call = {"endpoint": server.api, "credential": credential, "method": method, "isV3": is_v3}
    call["signatureMethod"] = signature_method
    command = ["node", str(HERE / "node" / "capi.js"), json.dumps(call)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    expect.identity(json.loads(done.stdout), owner.account.uin)
