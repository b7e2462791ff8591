"""Every refusal that users of a client can encounter, with every client in every way in which it can sign and send."""

import re

import pytest

from clients import Client, Refused
from console import Console, Key
from expect import CHINESE
from refusals import refusal

IDENTITY = ("sts", "GetCallerIdentity")

free = pytest.mark.ways(lambda way: way.is_free)
# These clients do not check their parameters themselves.
unchecked = pytest.mark.ways(lambda way: way.client != "tccli")


# --- The caller -------------------------------------------------------------------------------------------------------


def test_a_wrong_secret(client: Client, key: Key, foreign_key: Key) -> None:
    wrong = Key(key.secret_id, key.secret_key[::-1])
    crossed = Key(key.secret_id, foreign_key.secret_key)
    for pair in (wrong, crossed):
        assert refusal(client, pair, *IDENTITY) == "AuthFailure.SignatureFailure"


def test_an_unknown_key(client: Client, key: Key, unknown_id: str) -> None:
    unknown = Key(unknown_id, key.secret_key)
    assert refusal(client, unknown, "cam", "ListAccessKeys") == "AuthFailure.SecretIdNotFound"


@pytest.mark.parametrize("malformed", ["AKIDshort", "akid" + "x" * 32, "AKID" + "-" * 32])
def test_a_malformed_key(client: Client, key: Key, malformed: str) -> None:
    assert refusal(client, Key(malformed, key.secret_key), *IDENTITY) == "AuthFailure.InvalidSecretId"


def test_a_token_that_nobody_issued(client: Client, key: Key) -> None:
    assert refusal(client, key, *IDENTITY, token="x") == "AuthFailure.TokenFailure"


@pytest.mark.parametrize("skew", [-320, 320])
def test_a_wrong_clock(client: Client, key: Key, skew: int) -> None:
    assert refusal(client, key, *IDENTITY, skew_seconds=skew) == "AuthFailure.SignatureExpire"


@pytest.mark.parametrize("skew", [-280, 280])
def test_a_clock_that_is_right_enough(client: Client, key: Key, skew: int) -> None:
    client.call(key, *IDENTITY, skew_seconds=skew)


# --- Limits of the account --------------------------------------------------------------------------------------------


def test_a_third_key(client: Client, owner: Console, key: Key, second_key: Key) -> None:
    create = (key, "cam", "CreateAccessKey")
    assert refusal(client, *create) == "OperationDenied.AccessKeyOverLimit"
    # Disabled keys count.
    owner.disable(second_key.secret_id)
    assert refusal(client, *create) == "OperationDenied.AccessKeyOverLimit"


def test_deleting_an_enabled_key(client: Client, key: Key) -> None:
    delete = ("cam", "DeleteAccessKey", {"AccessKeyId": key.secret_id})
    assert refusal(client, key, *delete) == "FailedOperation.Accesskey"
    client.call(key, *IDENTITY)


@pytest.mark.parametrize("whose", ["another_accounts", "nobodys"])
def test_a_key_that_is_not_the_accounts(
    client: Client, key: Key, foreign_key: Key, unknown_id: str, whose: str
) -> None:
    secret_id = foreign_key.secret_id if whose == "another_accounts" else unknown_id
    for action, params in [
        ("UpdateAccessKey", {"AccessKeyId": secret_id, "Status": "Inactive"}),
        ("DeleteAccessKey", {"AccessKeyId": secret_id}),
        ("GetSecurityLastUsed", {"SecretIdList": [key.secret_id, secret_id]}),
    ]:
        assert refusal(client, key, "cam", action, params) == "ResourceNotFound.SecretNotExist", action
    client.call(foreign_key, *IDENTITY)


def test_another_account(client: Client, owner: Console, key: Key) -> None:
    other = {"TargetUin": int(owner.account.uin) ^ 1}
    that = other | {"AccessKeyId": key.secret_id}
    for service, action, params in [
        ("cam", "CreateAccessKey", other),
        ("cam", "ListAccessKeys", other),
        ("cam", "UpdateAccessKey", that | {"Status": "Inactive"}),
        ("cam", "DeleteAccessKey", that),
        ("sts", "QueryApiKey", other),
    ]:
        assert refusal(client, key, service, action, params) == "OperationDenied.UinNotMatch", action
    client.call(key, *IDENTITY)


# --- Actions and parameters -------------------------------------------------------------------------------------------


def test_values_that_are_not_taken(client: Client, owner: Console, key: Key) -> None:
    for action, params, about in [
        ("UpdateAccessKey", {"AccessKeyId": key.secret_id, "Status": "active"}, "Status"),
        ("CreateAccessKey", {"Description": "two words"}, "Description"),
        ("CreateAccessKey", {"Description": "it's (100%) & ~é!*"}, "Description"),
        ("CreateAccessKey", {"Description": "x" * 1025}, "Description"),
        ("ListAccessKeys", {"TargetUin": -1}, "TargetUin"),
        ("GetSecurityLastUsed", {"SecretIdList": [key.secret_id] * 11}, "SecretIdList"),
    ]:
        assert refusal(client, key, "cam", action, params, about=about) == "InvalidParameterValue", action
    assert owner.key_ids() == [key.secret_id]


@unchecked
def test_missing_parameters(client: Client, key: Key) -> None:
    own = {"AccessKeyId": key.secret_id}
    for action, params, about in [
        ("UpdateAccessKey", {}, "AccessKeyId"),
        ("UpdateAccessKey", own, "Status"),
        ("UpdateAccessKey", {"Status": "Active"}, "AccessKeyId"),
        ("UpdateAccessKey", own | {"Status": None}, "Status"),
        ("DeleteAccessKey", {}, "AccessKeyId"),
        ("GetSecurityLastUsed", {}, "SecretIdList"),
    ]:
        assert refusal(client, key, "cam", action, params, about=about) == "MissingParameter", (action, params)


def test_what_is_no_keys_name(client: Client, key: Key) -> None:
    nonsense = {"AccessKeyId": "nonsense"}
    assert refusal(client, key, "cam", "DeleteAccessKey", nonsense) == "ResourceNotFound.SecretNotExist"


@unchecked
def test_types_that_are_not_taken(client: Client, key: Key) -> None:
    own = {"AccessKeyId": key.secret_id}
    wrong, value = "InvalidParameter", "InvalidParameterValue"
    for action, params, about, typed, as_text in [
        ("GetSecurityLastUsed", {"SecretIdList": key.secret_id}, "SecretIdList", wrong, wrong),
        ("CreateAccessKey", {"Description": ["x"]}, "Description", wrong, wrong),
        ("ListAccessKeys", {"TargetUin": [1]}, "TargetUin", wrong, wrong),
        ("ListAccessKeys", {"TargetUin": "x"}, "TargetUin", value, value),
        ("ListAccessKeys", {"TargetUin": 1.5}, "TargetUin", value, value),
        ("ListAccessKeys", {"TargetUin": 2**64}, "TargetUin", value, value),
        ("ListAccessKeys", {"TargetUin": True}, "TargetUin", wrong, value),
        ("UpdateAccessKey", own | {"Status": 1}, "Status", wrong, value),
        # Without types, an empty list disappears.
        ("GetSecurityLastUsed", {"SecretIdList": []}, "SecretIdList", value, "MissingParameter"),
        ("DeleteAccessKey", {"AccessKeyId": 1}, "", wrong, "ResourceNotFound.SecretNotExist"),
        ("GetSecurityLastUsed", {"SecretIdList": [1]}, "", wrong, "ResourceNotFound.SecretNotExist"),
    ]:
        expected = typed if client.way.sends_types else as_text
        assert refusal(client, key, "cam", action, params, about=about) == expected, (action, params)


@free
def test_unknown_parameters(client: Client, key: Key) -> None:
    for service, action in [
        ("cam", "CreateAccessKey"),
        ("cam", "ListAccessKeys"),
        ("cam", "GetUserAppId"),
        ("cam", "GetAccountSummary"),
        ("cam", "DescribeSafeAuthFlag"),
        ("sts", "GetCallerIdentity"),
        ("sts", "QueryApiKey"),
    ]:
        params = {"Nonsense": "1"}
        assert refusal(client, key, service, action, params, about="Nonsense") == "UnknownParameter", action
    own = {"AccessKeyId": key.secret_id}
    assert refusal(client, key, "cam", "DeleteAccessKey", own | {"Limit": 1}, about="Limit") == "UnknownParameter"
    nested = {"Filters": [{"Name": "x", "Values": ["y"]}]}
    assert refusal(client, key, "cam", "ListAccessKeys", nested, about="Filters") == "UnknownParameter"


def test_an_action_of_the_vendors_that_is_not_served(client: Client, key: Key) -> None:
    assert refusal(client, key, "cam", "ListUsers", about="ListUsers") == "InvalidAction"


@free
def test_unknown_actions_and_versions(client: Client, key: Key) -> None:
    assert refusal(client, key, "cam", "Nonsense", about="Nonsense") == "InvalidAction"
    # Actions of the other product.
    assert refusal(client, key, "cam", "GetCallerIdentity", about="GetCallerIdentity") == "InvalidAction"
    assert refusal(client, key, "sts", "ListAccessKeys", about="ListAccessKeys") == "InvalidAction"
    newer = {"version": "2030-01-01"}
    assert refusal(client, key, "cam", "ListAccessKeys", about="2030-01-01", **newer) == "NoSuchVersion"


@free
def test_an_action_is_taken_by_its_exact_name(client: Client, key: Key) -> None:
    assert refusal(client, key, "cam", "List AccessKeys") == "InvalidAction"


# --- Transport --------------------------------------------------------------------------------------------------------


@pytest.mark.ways(lambda way: way.is_free and way.is_v3)
def test_a_request_that_is_not_signed(client: Client, key: Key) -> None:
    # Both SDKs can be told to send "Authorization: SKIP".
    code = "AuthFailure.InvalidAuthorization"
    assert refusal(client, key, *IDENTITY, skip_sign=True, in_english_only=True) == code


@pytest.mark.ways(lambda way: way.is_free and way.sends_types)
def test_bodies_that_no_action_takes(client: Client, key: Key) -> None:
    # The bodies themselves are refused: their signatures, over the bytes on the wire, are right.
    for body in ({"octets": "x"}, {"params": {"a": "b"}, "multipart": True}):
        code = refusal(client, key, "cam", "ListAccessKeys", about="The body", in_english_only=True, **body)
        assert code == "InvalidParameter"


@pytest.mark.ways(lambda way: way.is_free and way.sends_types)
@pytest.mark.parametrize("refused", [{"skip_sign": True}, {"octets": "x"}], ids=["signature", "body"])
def test_chinese_messages_are_chinese_throughout(client: Client, key: Key, refused: dict) -> None:
    with pytest.raises(Refused) as raised:
        client.call(key, "cam", "ListAccessKeys", language=CHINESE, **refused)
    assert not re.search(r"the \w+", raised.value.message)


@free
def test_a_request_that_is_too_large(client: Client, key: Key) -> None:
    if client.way.http_method == "GET":
        within, over = 31 * 1024, 33 * 1024
    else:
        within, over = (9_000_000, 10_600_000) if client.way.is_v3 else (1_000_000, 1_100_000)
    create = (key, "cam", "CreateAccessKey")
    assert refusal(client, *create, {"Description": "x" * within}) == "InvalidParameterValue"
    assert refusal(client, *create, {"Description": "x" * over}) == "RequestSizeLimitExceeded"


@pytest.mark.ways(lambda way: way.is_free and way.http_method == "GET")
@pytest.mark.xfail(reason="the HTTP library itself rejects a URL longer than 64 KiB, with 414")
def test_a_query_that_is_far_too_large(client: Client, key: Key) -> None:
    params = {"Description": "x" * 70_000}
    assert refusal(client, key, "cam", "CreateAccessKey", params) == "RequestSizeLimitExceeded"
