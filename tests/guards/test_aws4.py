"""AWS Signature Version 4: requests of the tools and libraries that sign with it, as their users send them."""

import hashlib
import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pycurl
import pytest
import requests
from botocore.auth import S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests_aws4auth import AWS4Auth

from conftest import Door
from console import Key
from server import ROOT, binary
from signing import sha256

REGION, SERVICE = "eu-west-1", "shop"
NODE = ROOT / "tests" / "clients" / "node" / "aws4.js"
SECONDS = 30


@dataclass(frozen=True)
class Call:
    method: str
    url: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answered:
    status: int
    body: str


Signer = Callable[[Key, Call], Answered]


def curl(key: Key, call: Call) -> Answered:
    """Debian's curl."""
    command = ["curl", "--silent", "--show-error", "--path-as-is", "--globoff", "--write-out", "\n%{http_code}"]
    command += ["--max-time", str(SECONDS), "--aws-sigv4", f"aws:amz:{REGION}:{SERVICE}", "--request", call.method]
    for name, value in call.headers.items():
        command += ["--header", f"{name}: {value}"]
    # The secret goes through a file: other users of the machine see the command line.
    command += ["--config", "-", call.url]
    config = f'user = "{key.secret_id}:{key.secret_key}"\n'
    if call.body:
        config += f"data-binary = {json.dumps(call.body.decode())}\n"
    done = subprocess.run(command, input=config, capture_output=True, encoding="utf-8", timeout=SECONDS, check=True)
    body, _, status = done.stdout.rpartition("\n")
    return Answered(int(status), body)


def libcurl(key: Key, call: Call) -> Answered:
    """A recent libcurl, as it comes with pycurl."""
    answer = io.BytesIO()
    handle = pycurl.Curl()
    handle.setopt(pycurl.URL, call.url)
    handle.setopt(pycurl.CUSTOMREQUEST, call.method)
    handle.setopt(pycurl.AWS_SIGV4, f"aws:amz:{REGION}:{SERVICE}")
    handle.setopt(pycurl.USERPWD, f"{key.secret_id}:{key.secret_key}")
    handle.setopt(pycurl.HTTPHEADER, [f"{name}: {value}" for name, value in call.headers.items()])
    handle.setopt(pycurl.TIMEOUT, SECONDS)
    handle.setopt(pycurl.WRITEDATA, answer)
    if call.body:
        handle.setopt(pycurl.POSTFIELDS, call.body)
    handle.perform()
    status = handle.getinfo(pycurl.RESPONSE_CODE)
    handle.close()
    return Answered(status, answer.getvalue().decode())


def botocore(key: Key, call: Call) -> Answered:
    request = AWSRequest(call.method, call.url, data=call.body, headers=call.headers)
    SigV4Auth(Credentials(key.secret_id, key.secret_key), SERVICE, REGION).add_auth(request)
    sent = request.prepare()
    answer = requests.request(sent.method, sent.url, data=sent.body, headers=dict(sent.headers), timeout=SECONDS)
    return Answered(answer.status_code, answer.text)


def requests_aws4auth(key: Key, call: Call) -> Answered:
    auth = AWS4Auth(key.secret_id, key.secret_key, REGION, SERVICE)
    answer = requests.request(call.method, call.url, data=call.body, headers=call.headers, auth=auth, timeout=SECONDS)
    return Answered(answer.status_code, answer.text)


def in_node(name: str) -> Signer:
    def send(key: Key, call: Call) -> Answered:
        asked = {"signer": name, "method": call.method, "url": call.url, "headers": call.headers}
        asked |= {"id": key.secret_id, "secret": key.secret_key}
        if call.body:
            asked["body"] = call.body.decode()
        command = ["node", str(NODE), json.dumps(asked)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        return Answered(**json.loads(done.stdout))

    return send


SIGNERS: dict[str, Signer] = {
    "curl": curl,
    "libcurl": libcurl,
    "botocore": botocore,
    "requests-aws4auth": requests_aws4auth,
    "aws4": in_node("aws4"),
    "aws4fetch": in_node("aws4fetch"),
    "smithy": in_node("smithy"),
}

# Whatever these signers make of path and query, the check reads it.
TARGETS = [
    "/",
    "/orders/7",
    "/orders?state=open",
    "/orders?b=2&a=1&a=0",
    "/orders?empty=&q=a%20b%2Fc",
    "/a%20file/with%2Fslash",
    "/~user/_a-b.c",
]


def presigned_by_botocore(auth: type[SigV4QueryAuth], service: str) -> Callable[[Key, str, int], str]:
    def presign(key: Key, url: str, seconds: int) -> str:
        request = AWSRequest("GET", url)
        auth(Credentials(key.secret_id, key.secret_key), service, REGION, expires=seconds).add_auth(request)
        return request.url

    return presign


def presigned_in_node(name: str) -> Callable[[Key, str, int], str]:
    def presign(key: Key, url: str, seconds: int) -> str:
        asked = {"signer": f"{name}, presigned", "method": "GET", "url": url, "headers": {}, "seconds": seconds}
        asked |= {"id": key.secret_id, "secret": key.secret_key}
        command = ["node", str(NODE), json.dumps(asked)]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["url"]

    return presign


PRESIGNERS = {
    "botocore": presigned_by_botocore(SigV4QueryAuth, SERVICE),
    "botocore, as for s3": presigned_by_botocore(S3SigV4QueryAuth, "s3"),
    "aws4": presigned_in_node("aws4"),
    "aws4fetch": presigned_in_node("aws4fetch"),
    "smithy": presigned_in_node("smithy"),
}


@pytest.mark.parametrize("name", SIGNERS)
def test_a_signed_request_is_let_in(door: Door, name: str) -> None:
    for target in TARGETS:
        answer, received = ask(door, name, Call("GET", f"http://{door.address}{target}"))
        assert answer.status == 200, (target, answer)
        assert received.target == target, "passed on as it was sent"
        assert received.get("X-Latchkey-Secret-Id") == door.key.secret_id


@pytest.mark.parametrize("name", SIGNERS)
def test_a_body_is_signed(door: Door, name: str) -> None:
    body = b'{"item": "book", "n": 2}'
    headers = {"content-type": "application/json"}
    if door.is_proxy:
        # A proxy passes no body to the check.
        headers["x-amz-content-sha256"] = sha256(body)
    answer, received = ask(door, name, Call("POST", f"http://{door.address}/orders", body, headers))
    if door.is_proxy and name == "aws4":
        # This signer signs Content-Length, which proxies keep from the check together with the body.
        assert answer.status == 401 and received is None
        return
    assert answer.status == 200, answer
    assert received.body == body
    assert received.get("X-Latchkey-Content-SHA256") == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("name", SIGNERS)
def test_another_secret_is_refused(door: Door, name: str) -> None:
    wrong = Key(door.key.secret_id, "x" * 32)
    door.back_end.take()
    answer = SIGNERS[name](wrong, Call("GET", f"http://{door.address}/orders"))
    assert answer.status == 401 and not door.back_end.take()


def test_a_disabled_key_is_refused_at_the_next_request(door: Door) -> None:
    call = Call("GET", f"http://{door.address}/orders")
    assert botocore(door.key, call).status == 200
    door.owner.disable(door.key.secret_id)
    try:
        assert [SIGNERS[name](door.key, call).status for name in SIGNERS] == [401] * len(SIGNERS)
    finally:
        door.owner.enable(door.key.secret_id)
    assert botocore(door.key, call).status == 200


@pytest.mark.parametrize("name", PRESIGNERS)
def test_a_presigned_url_is_let_in_until_its_key_is_disabled(door: Door, name: str) -> None:
    for target in ("/orders/7", "/orders?state=open&q=a%20b"):
        url = PRESIGNERS[name](door.key, f"http://{door.address}{target}", 600)
        door.back_end.take()
        answer = requests.get(url, timeout=SECONDS)
        assert answer.status_code == 200, (url, answer.text)
        (received,) = door.back_end.take()
        assert url.endswith(received.target) and received.get("X-Latchkey-Secret-Id") == door.key.secret_id
        assert requests.get(url.replace("/orders", "/others"), timeout=SECONDS).status_code == 401
        assert requests.post(url, timeout=SECONDS).status_code == 401
    door.owner.disable(door.key.secret_id)
    try:
        assert requests.get(url, timeout=SECONDS).status_code == 401
    finally:
        door.owner.enable(door.key.secret_id)
    too_long = PRESIGNERS[name](door.key, f"http://{door.address}/orders", 3601)
    assert requests.get(too_long, timeout=SECONDS).status_code == 401


def test_the_owner_is_told_that_presigned_urls_end_with_the_key(door: Door) -> None:
    page = door.owner.get(f"/cam/capi/keys/{door.key.secret_id}/disable")
    assert "URLs presigned with this key stop working" in page.get_text()


def ask(door: Door, name: str, call: Call) -> tuple[Answered, object]:
    door.back_end.take()
    answer = SIGNERS[name](door.key, call)
    received = door.back_end.take()
    return answer, received[0] if received else None


def test_what_was_signed_is_shown_to_the_owner(door: Door) -> None:
    call = Call("GET", f"http://{door.address}/orders/{Path(__file__).stem}")
    assert curl(door.key, call).status == 200
    page = door.owner.get(f"/cam/capi/keys/{door.key.secret_id}?action=test_aws4")
    assert f"GET /orders/test_aws4 ({REGION}/{SERVICE})" in page.get_text()


def test_the_command_line_signs_it(door: Door) -> None:
    door.back_end.take()
    url = f"http://{door.address}/a%20file?b=2&a=1"
    sign = [str(binary()), "sign", "--scheme", "aws4", "--url", url, "--data", '{"item": "book"}', "--scope", "eu/shop"]
    key = {"TENCENTCLOUD_SECRET_ID": door.key.secret_id, "TENCENTCLOUD_SECRET_KEY": door.key.secret_key}
    printed = subprocess.run(sign, env=key, capture_output=True, encoding="utf-8", timeout=SECONDS, check=True).stdout
    assert door.key.secret_key not in printed
    subprocess.run(["sh", "-c", printed], capture_output=True, timeout=SECONDS, check=True)
    (received,) = door.back_end.take()
    assert (received.method, received.body) == ("POST", b'{"item": "book"}')
    # The API does not accept this scheme, so an action cannot be signed with it.
    refused = subprocess.run([*sign, "--action", "x"], env=key, capture_output=True, encoding="utf-8", timeout=SECONDS)
    assert refused.returncode == 1 and "--scheme tc3" in refused.stderr
