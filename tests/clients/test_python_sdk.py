"""The Python SDK, unchanged, with an endpoint override, in each way it can send a v3 signature."""

import json
from collections.abc import Callable

import pytest
from tencentcloud.cam.v20190116 import models as cam
from tencentcloud.cam.v20190116.cam_client import CamClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sts.v20180813 import models as sts
from tencentcloud.sts.v20180813.sts_client import StsClient

import expect
from console import Console, Key
from server import Server


@pytest.fixture(params=["POST", "GET", "POST unsigned", "GET unsigned"])
def profile(request: pytest.FixtureRequest, server: Server) -> ClientProfile:
    method, _, payload = request.param.partition(" ")
    # Kept alive, so that a disabled key is refused on a connection it has opened before.
    http = HttpProfile(protocol="http", endpoint=server.api, reqMethod=method, reqTimeout=30, keepAlive=True)
    profile = ClientProfile(httpProfile=http, language="en-US")
    profile.unsignedPayload = payload == "unsigned"
    return profile


def sts_client(key: Key, profile: ClientProfile) -> StsClient:
    return StsClient(Credential(key.secret_id, key.secret_key), "ap-guangzhou", profile)


def cam_client(key: Key, profile: ClientProfile) -> CamClient:
    return CamClient(Credential(key.secret_id, key.secret_key), "ap-guangzhou", profile)


def ask_identity(client: StsClient) -> dict:
    return json.loads(client.GetCallerIdentity(sts.GetCallerIdentityRequest()).to_json_string())


def list_keys(client: CamClient, target_uin: int | None = None) -> list[cam.AccessKey]:
    request = cam.ListAccessKeysRequest()
    request.TargetUin = target_uin
    return client.ListAccessKeys(request).AccessKeys


def refusal(call: Callable, *arguments: object) -> str:
    """The error's code."""
    with pytest.raises(TencentCloudSDKException) as raised:
        call(*arguments)
    error = raised.value
    assert error.get_message()
    assert expect.UUID.fullmatch(error.get_request_id())
    return error.get_code()


def test_a_key_works_exactly_while_it_is_enabled(owner: Console, key: Key, profile: ClientProfile) -> None:
    client = sts_client(key, profile)
    expect.identity(ask_identity(client), owner.account.uin)
    owner.disable(key.secret_id)
    assert refusal(ask_identity, client) == "AuthFailure.SecretIdNotFound"
    owner.enable(key.secret_id)
    expect.identity(ask_identity(client), owner.account.uin)
    owner.disable(key.secret_id)
    owner.delete(key.secret_id)
    assert refusal(ask_identity, client) == "AuthFailure.SecretIdNotFound"


def test_the_keys_are_listed(owner: Console, key: Key, profile: ClientProfile) -> None:
    owner.set_remark(key.secret_id, "nightly-backup")
    (listed,) = list_keys(cam_client(key, profile))
    assert (listed.AccessKeyId, listed.Status, listed.Description) == (key.secret_id, "Active", "nightly-backup")
    expect.just_now(listed.CreateTime)


def test_parameters_are_read_and_signed(owner: Console, key: Key, profile: ClientProfile) -> None:
    client, uin = cam_client(key, profile), int(owner.account.uin)
    (listed,) = list_keys(client, target_uin=uin)
    assert listed.AccessKeyId == key.secret_id
    assert refusal(list_keys, client, uin + 1) == "OperationDenied.UinNotMatch"


def test_a_wrong_secret_and_an_unknown_id_are_told_apart(key: Key, unknown_id: str, profile: ClientProfile) -> None:
    wrong = Key(key.secret_id, key.secret_key[::-1])
    assert refusal(ask_identity, sts_client(wrong, profile)) == "AuthFailure.SignatureFailure"
    unknown = Key(unknown_id, key.secret_key)
    assert refusal(list_keys, cam_client(unknown, profile)) == "AuthFailure.SecretIdNotFound"
