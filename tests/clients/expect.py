"""The results that every client must get."""

import re
from datetime import UTC, datetime, timedelta, timezone

# The vendor's time zone, which the API uses for times without an offset.
API_ZONE = timezone(timedelta(hours=8))

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SECRET_ID = re.compile(r"AKID[0-9A-Za-z]{32}")
SECRET_KEY = re.compile(r"[0-9A-Za-z]{32}")
HAN = re.compile(r"[\u4e00-\u9fff]")
KANA = re.compile(r"[\u3040-\u30ff]")

ENGLISH = "en-US"
CHINESE = "zh-CN"
JAPANESE = "ja-JP"
LANGUAGES = (ENGLISH, CHINESE, JAPANESE)

# The part of a refusal's message that says what is wrong or what to do, in the order of LANGUAGES.
MESSAGES = {
    "AuthFailure.InvalidAuthorization": ("not signed correctly", "签名格式不正确", "署名の形式が正しくありません"),
    "AuthFailure.InvalidSecretId": ("AKID followed by 32", "AKID 加 32 位", "AKIDに32文字"),
    "AuthFailure.SecretIdNotFound": ("exists and is enabled", "在控制台确认密钥存在且已启用", "存在し、有効であること"),
    "AuthFailure.SignatureExpire": (
        "more than 300 seconds.* Set the clock",
        "超过 300 秒.*校准本机时钟",
        "300秒を超えて.*時計を合わせて",
    ),
    "AuthFailure.SignatureFailure": ("Check the SecretKey", "检查 SecretKey", "SecretKeyを確認"),
    "AuthFailure.TokenFailure": ("not issue temporary tokens", "不签发临时令牌", "一時トークンを発行しません"),
    "AuthFailure.UnauthorizedOperation": ("Use the console", "使用控制台", "コンソールを使用"),
    "MissingParameter": ("parameter .+ is missing", "缺少参数", "パラメーター.+がありません"),
    "InvalidParameter": ("has the wrong type or format", "类型或格式不正确", "型または形式が正しくありません"),
    "InvalidParameterValue": ("value of .+ is not valid", "取值不正确", "値が正しくありません"),
    "UnknownParameter": ("parameter .+ is not known", "未知参数", "このアクションでは使用できません"),
    "InvalidAction": ("There is no action", "接口不存在", "アクション.+は存在しません"),
    "NoSuchVersion": ("There is no version", "版本不存在", "バージョン.+は存在しません"),
    "RequestSizeLimitExceeded": ("too large: the limit is 32 KB", "请求过大", "リクエストが大きすぎます"),
    "RequestLimitExceeded": ("Too many calls", "调用次数过多", "呼び出し回数が多すぎます"),
    "OperationDenied.AccessKeyOverLimit": ("already has two keys", "最多两个密钥", "上限の2個"),
    "OperationDenied.UinNotMatch": (
        "TargetUin is not the account",
        "TargetUin 与密钥所属账号不一致",
        "TargetUinがキーのアカウントと一致しません",
    ),
    "ResourceNotFound.SecretNotExist": ("no such key in this account", "不存在或不属于此账号", "このキーはありません"),
    "FailedOperation.Accesskey": ("Disable it before deleting", "先禁用再删除", "無効にしてから削除"),
}


def message(code: str, text: str, language: str) -> None:
    expected = dict(zip(LANGUAGES, MESSAGES[code], strict=True))[language]
    assert re.search(expected, text), text
    assert bool(HAN.search(text)) == (language != ENGLISH), text
    assert bool(KANA.search(text)) == (language == JAPANESE), text


def without_request_id(answer: dict) -> dict:
    rest = dict(answer)
    request_id = rest.pop("RequestId")
    assert UUID.fullmatch(request_id), request_id
    return rest


def identity(answer: dict, uin: str) -> None:
    assert without_request_id(answer) == {
        "Arn": f"qcs::cam:{uin}:uin/{uin}",
        "AccountId": uin,
        "UserId": uin,
        "PrincipalId": uin,
        "Type": "CAMUser",
    }


def just_now(moment: datetime) -> None:
    age = datetime.now(UTC) - moment
    assert timedelta(seconds=-1) <= age < timedelta(minutes=5), f"{moment} is {age} ago"


def create_time(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=API_ZONE)
