"""Each action, with every client in every way in which it can sign and send."""

from datetime import UTC, datetime

import pytest

import expect
from clients import Client
from console import Console, Key
from refusals import refusal


def test_whose_key_it_is(client: Client, owner: Console, key: Key) -> None:
    expect.identity(client.call(key, "sts", "GetCallerIdentity"), owner.account.uin)


def test_the_accounts_numbers(client: Client, owner: Console, key: Key) -> None:
    numbers = expect.without_request_id(client.call(key, "cam", "GetUserAppId"))
    app_id = numbers.pop("AppId")
    assert isinstance(app_id, int) and len(str(app_id)) == 10
    assert numbers == {"Uin": owner.account.uin, "OwnerUin": owner.account.uin}


def test_the_accounts_summary(client: Client, key: Key) -> None:
    counted = ("Policies", "Roles", "Idps", "User", "Group", "Member", "IdentityProviders")
    summary = expect.without_request_id(client.call(key, "cam", "GetAccountSummary"))
    assert summary == dict.fromkeys(counted, 0)


def test_how_the_account_is_protected(client: Client, key: Key) -> None:
    none = dict.fromkeys(("Phone", "Token", "Stoken", "Wechat", "Custom", "Mail", "U2FToken", "Passkey"), 0)
    app = none | {"Stoken": 1}
    offsite = dict.fromkeys(("VerifyFlag", "NotifyPhone", "NotifyEmail", "NotifyWechat", "Tips"), 0)
    flags = expect.without_request_id(client.call(key, "cam", "DescribeSafeAuthFlag"))
    assert flags == {"LoginFlag": app, "ActionFlag": app, "OffsiteFlag": offsite, "PromptTrust": 0}


def test_the_keys_are_listed(client: Client, owner: Console, key: Key, second_key: Key) -> None:
    owner.set_remark(second_key.secret_id, "夜间备份: nightly")
    owner.disable(second_key.secret_id)

    answer = expect.without_request_id(client.call(key, "cam", "ListAccessKeys"))
    listed = {entry.pop("AccessKeyId"): entry for entry in answer.pop("AccessKeys")}
    assert not answer
    created = {secret_id: expect.create_time(entry.pop("CreateTime")) for secret_id, entry in listed.items()}
    assert listed.keys() == {key.secret_id, second_key.secret_id}
    assert listed[key.secret_id].pop("Description", None) is None
    assert listed[key.secret_id] == {"Status": "Active"}
    assert listed[second_key.secret_id] == {"Status": "Inactive", "Description": "夜间备份: nightly"}
    expect.just_now(created[second_key.secret_id])

    answer = expect.without_request_id(client.call(key, "sts", "QueryApiKey"))
    listed = {entry.pop("SecretId"): entry for entry in answer.pop("IdKeys")}
    assert not answer
    seconds = {secret_id: int(moment.timestamp()) for secret_id, moment in created.items()}
    assert listed == {
        key.secret_id: {"Status": 2, "CreateTime": seconds[key.secret_id]},
        second_key.secret_id: {"Status": 3, "CreateTime": seconds[second_key.secret_id]},
    }


def test_when_keys_were_last_used(client: Client, key: Key, second_key: Key) -> None:
    def last_used(*ids: str) -> list[dict]:
        answer = client.call(key, "cam", "GetSecurityLastUsed", {"SecretIdList": list(ids)})
        answer = expect.without_request_id(answer)
        assert answer.keys() == {"SecretIdLastUsedRows"}
        return answer["SecretIdLastUsedRows"]

    def check_used(row: dict, secret_id: str) -> None:
        used = datetime.fromtimestamp(row["LastSecretUsedDate"] / 1000, UTC)
        expect.just_now(used)
        date = used.astimezone(expect.API_ZONE).date().isoformat()
        assert (row["SecretId"], row["LastUsedDate"]) == (secret_id, date)

    used, unused = last_used(key.secret_id, second_key.secret_id)
    check_used(used, key.secret_id)
    assert unused == {"SecretId": second_key.secret_id, "LastUsedDate": None, "LastSecretUsedDate": None}

    client.call(second_key, "sts", "GetCallerIdentity")
    # In the requested order, and with the maximum number of keys: "SecretIdList.9" is the last of ten.
    rows = last_used(*[key.secret_id] * 9, second_key.secret_id)
    for row in rows[:9]:
        check_used(row, key.secret_id)
    (row,) = rows[9:]
    check_used(row, second_key.secret_id)


def test_a_pair_lives_and_dies_through_the_api(client: Client, owner: Console, key: Key, room_for_a_key: None) -> None:
    # Every allowed special character, each of which is encoded differently in a query.
    description = "Nightly_备份+=,.@:/-0"
    answer = expect.without_request_id(client.call(key, "cam", "CreateAccessKey", {"Description": description}))
    made = answer.pop("AccessKey")
    assert not answer
    pair = Key(made.pop("AccessKeyId"), made.pop("SecretAccessKey"))
    owner.keep_secret(pair.secret_key)
    assert expect.SECRET_ID.fullmatch(pair.secret_id) and expect.SECRET_KEY.fullmatch(pair.secret_key)
    expect.just_now(expect.create_time(made.pop("CreateTime")))
    assert made == {"Status": "Active", "Description": description}
    assert owner.remark(pair.secret_id) == description
    assert owner.show(pair.secret_id) == pair.secret_key

    def update(status: str) -> None:
        params = {"AccessKeyId": pair.secret_id, "Status": status}
        assert not expect.without_request_id(client.call(key, "cam", "UpdateAccessKey", params))

    delete = (key, "cam", "DeleteAccessKey", {"AccessKeyId": pair.secret_id})
    expect.identity(client.call(pair, "sts", "GetCallerIdentity"), owner.account.uin)
    assert refusal(client, *delete) == "FailedOperation.Accesskey"
    # The second request, for the state that the key already has, succeeds as well.
    for _ in range(2):
        update("Inactive")
        assert refusal(client, pair, "sts", "GetCallerIdentity") == "AuthFailure.SecretIdNotFound"
    update("Active")
    expect.identity(client.call(pair, "sts", "GetCallerIdentity"), owner.account.uin)
    update("Inactive")
    assert not expect.without_request_id(client.call(*delete))
    assert refusal(client, *delete) == "ResourceNotFound.SecretNotExist"
    assert refusal(client, pair, "sts", "GetCallerIdentity") == "AuthFailure.SecretIdNotFound"
    assert owner.key_ids() == [key.secret_id]


def test_a_key_works_exactly_while_the_console_says_so(
    client: Client, owner: Console, key: Key, second_key: Key
) -> None:
    call = (second_key, "sts", "GetCallerIdentity")
    expect.identity(client.call(*call), owner.account.uin)
    owner.disable(second_key.secret_id)
    assert refusal(client, *call) == "AuthFailure.SecretIdNotFound"
    owner.enable(second_key.secret_id)
    expect.identity(client.call(*call), owner.account.uin)
    owner.disable(second_key.secret_id)
    owner.delete(second_key.secret_id)
    assert refusal(client, *call) == "AuthFailure.SecretIdNotFound"
    expect.identity(client.call(key, "sts", "GetCallerIdentity"), owner.account.uin)


def test_a_key_may_disable_itself(client: Client, second_key: Key) -> None:
    params = {"AccessKeyId": second_key.secret_id, "Status": "Inactive"}
    client.call(second_key, "cam", "UpdateAccessKey", params)
    assert refusal(client, second_key, "cam", "UpdateAccessKey", params) == "AuthFailure.SecretIdNotFound"


def test_a_description_may_be_long_and_may_be_left_out(
    client: Client, owner: Console, key: Key, room_for_a_key: None
) -> None:
    for params in ({"Description": "备" * 1024}, {}):
        made = client.call(key, "cam", "CreateAccessKey", params)["AccessKey"]
        owner.keep_secret(made["SecretAccessKey"])
        assert made.get("Description") == params.get("Description")
        owner.remove_all_but(key)


def test_the_own_account_may_be_named(client: Client, owner: Console, key: Key, second_key: Key) -> None:
    own = {"TargetUin": int(owner.account.uin)}
    that = own | {"AccessKeyId": second_key.secret_id}
    for service, action, params in [
        ("cam", "ListAccessKeys", own),
        ("sts", "QueryApiKey", own),
        ("cam", "UpdateAccessKey", that | {"Status": "Inactive"}),
        ("cam", "DeleteAccessKey", that),
    ]:
        client.call(key, service, action, params)
    made = client.call(key, "cam", "CreateAccessKey", own)["AccessKey"]
    owner.keep_secret(made["SecretAccessKey"])


@pytest.mark.ways(lambda way: way.client != "tccli")
def test_the_own_account_may_be_named_by_text(client: Client, owner: Console, key: Key) -> None:
    client.call(key, "cam", "ListAccessKeys", {"TargetUin": owner.account.uin})
