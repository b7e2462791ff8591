"""tccli, unchanged, with nothing but an endpoint and a key pair."""

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import expect
from console import Console, Key
from server import Server

TCCLI = Path(sys.executable).with_name("tccli")


@dataclass(frozen=True)
class Tccli:
    endpoint: str
    home: Path

    def run(self, *arguments: str, key: Key | None = None) -> subprocess.CompletedProcess[str]:
        # Its log and settings go to a home of their own; of the caller's environment it gets no credentials.
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        if prefix := os.environ.get("PYTHONPYCACHEPREFIX"):
            environment["PYTHONPYCACHEPREFIX"] = prefix
        if key:
            environment |= {"TENCENTCLOUD_SECRET_ID": key.secret_id, "TENCENTCLOUD_SECRET_KEY": key.secret_key}
        return subprocess.run(
            [str(TCCLI), *arguments], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
        )

    def call(self, key: Key, service: str, action: str) -> subprocess.CompletedProcess[str]:
        return self.run(service, action, "--endpoint", self.endpoint, key=key)

    def answer(self, key: Key, service: str, action: str) -> dict:
        done = self.call(key, service, action)
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def refusal(self, key: Key, service: str, action: str) -> str:
        """The error's code."""
        done = self.call(key, service, action)
        assert (done.returncode, done.stdout) == (255, "")
        told = re.search(r"\[TencentCloudSDKException\] code:(\S+) message:(.+) requestId:(\S+)", done.stderr)
        assert told and expect.UUID.fullmatch(told[3]), done.stderr
        return told[1]


@pytest.fixture
def tccli(server: Server, tmp_path: Path) -> Tccli:
    return Tccli(f"http://{server.api}", tmp_path)


def test_a_key_works_exactly_while_it_is_enabled(owner: Console, key: Key, tccli: Tccli) -> None:
    call = (key, "sts", "GetCallerIdentity")
    expect.identity(tccli.answer(*call), owner.account.uin)
    owner.disable(key.secret_id)
    assert tccli.refusal(*call) == "AuthFailure.SecretIdNotFound"
    owner.enable(key.secret_id)
    expect.identity(tccli.answer(*call), owner.account.uin)
    owner.disable(key.secret_id)
    owner.delete(key.secret_id)
    assert tccli.refusal(*call) == "AuthFailure.SecretIdNotFound"


def test_the_keys_are_listed(owner: Console, key: Key, tccli: Tccli) -> None:
    other = owner.create_key()
    owner.set_remark(other.secret_id, "nightly-backup")
    owner.disable(other.secret_id)
    answer = tccli.answer(key, "cam", "ListAccessKeys")
    listed = {entry["AccessKeyId"]: entry for entry in answer["AccessKeys"]}
    for entry in listed.values():
        expect.just_now(entry.pop("CreateTime"))
    # tccli prints its own model of an answer, where a field that was left out is null.
    assert listed == {
        key.secret_id: {"AccessKeyId": key.secret_id, "Status": "Active", "Description": None},
        other.secret_id: {"AccessKeyId": other.secret_id, "Status": "Inactive", "Description": "nightly-backup"},
    }


def test_a_wrong_secret_and_an_unknown_id_are_told_apart(key: Key, unknown_id: str, tccli: Tccli) -> None:
    wrong = Key(key.secret_id, key.secret_key[::-1])
    assert tccli.refusal(wrong, "sts", "GetCallerIdentity") == "AuthFailure.SignatureFailure"
    unknown = Key(unknown_id, key.secret_key)
    assert tccli.refusal(unknown, "cam", "ListAccessKeys") == "AuthFailure.SecretIdNotFound"


def test_the_endpoint_can_be_configured_once(owner: Console, key: Key, tccli: Tccli) -> None:
    configured = tccli.run("configure", "set", "sts.endpoint", tccli.endpoint, "cam.endpoint", tccli.endpoint)
    assert (configured.returncode, configured.stderr) == (0, "")
    done = tccli.run("sts", "GetCallerIdentity", key=key)
    assert (done.returncode, done.stderr) == (0, "")
    expect.identity(json.loads(done.stdout), owner.account.uin)
