"""What both clients must get."""

import re
from datetime import datetime, timedelta, timezone

# The vendor's zone, in which the API states times without saying so.
API_ZONE = timezone(timedelta(hours=8))

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def identity(answer: dict, uin: str) -> None:
    request_id = answer.pop("RequestId")
    assert UUID.fullmatch(request_id), request_id
    assert answer == {
        "Arn": f"qcs::cam:{uin}:uin/{uin}",
        "AccountId": uin,
        "UserId": uin,
        "PrincipalId": uin,
        "Type": "CAMUser",
    }


def just_now(create_time: str) -> None:
    created = datetime.strptime(create_time, "%Y-%m-%d %H:%M:%S").replace(tzinfo=API_ZONE)
    age = datetime.now(timezone.utc) - created
    assert timedelta(seconds=-1) <= age < timedelta(minutes=5), f"{create_time} is {age} ago"
