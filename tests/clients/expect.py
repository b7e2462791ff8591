"""What every client must get."""

import re
from datetime import UTC, datetime, timedelta, timezone

# The vendor's zone, in which the API states times without saying so.
API_ZONE = timezone(timedelta(hours=8))

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
SECRET_ID = re.compile(r"AKID[0-9A-Za-z]{32}")
SECRET_KEY = re.compile(r"[0-9A-Za-z]{32}")
HAN = re.compile(r"[\u4e00-\u9fff]")

ENGLISH = "en-US"
CHINESE = "zh-CN"

# What of a refusal's message tells its reader what is wrong, or what to do.
MESSAGES = {
    "AuthFailure.InvalidAuthorization": ("not signed as it must be", "签名格式不正确"),
    "AuthFailure.InvalidSecretId": ("AKID followed by 32", "AKID 加 32 位"),
    "AuthFailure.SecretIdNotFound": ("exists and is enabled in the console", "在控制台确认密钥存在且已启用"),
    "AuthFailure.SignatureExpire": ("more than 300 seconds.* Set the clock", "超过 300 秒.*校准本机时钟"),
    "AuthFailure.SignatureFailure": ("Check the SecretKey", "检查 SecretKey"),
    "AuthFailure.TokenFailure": ("issues no temporary tokens", "不签发临时令牌"),
    "AuthFailure.UnauthorizedOperation": ("Use the console", "使用控制台"),
    "MissingParameter": ("parameter .+ is missing", "缺少参数"),
    "InvalidParameter": ("type or form of .+ is wrong", "类型或格式不正确"),
    "InvalidParameterValue": ("value of .+ is not one", "取值不正确"),
    "UnknownParameter": ("parameter .+ is not known", "未知参数"),
    "InvalidAction": ("no such action", "接口不存在"),
    "NoSuchVersion": ("no such version", "版本不存在"),
    "RequestSizeLimitExceeded": ("too large: at most 32 KB", "请求过大"),
    "RequestLimitExceeded": ("Too many calls", "调用次数过多"),
    "OperationDenied.AccessKeyOverLimit": ("already has two keys", "最多两个密钥"),
    "OperationDenied.UinNotMatch": ("TargetUin is not the account", "TargetUin 与密钥所属账号不一致"),
    "ResourceNotFound.SecretNotExist": ("not one of this account's", "不存在或不属于此账号"),
    "FailedOperation.Accesskey": ("Disable it before deleting", "先禁用再删除"),
}


def message(code: str, text: str, language: str) -> None:
    english, chinese = MESSAGES[code]
    assert re.search(chinese if language == CHINESE else english, text), text
    assert bool(HAN.search(text)) == (language == CHINESE), text


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
