"""The signer of these tests is correct: it matches the published examples, not only the server."""

from signing import sha256, signature

SECRET_KEY = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"
TIMESTAMP = 1551113065
HOST = "cvm.tencentcloudapi.com"


def test_the_published_example() -> None:
    body = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
    headers = {"content-type": "application/json; charset=utf-8", "host": HOST}
    made = signature(SECRET_KEY, "cvm", TIMESTAMP, "POST", "/", headers, sha256(body))
    assert made == "72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"


def test_the_published_example_with_a_query() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded", "host": HOST}
    made = signature(SECRET_KEY, "cvm", TIMESTAMP, "GET", "/?Limit=10&Offset=0", headers, sha256(b""))
    assert made == "9867b291561db17491c01f0d7f06be3ccd45e91ecd3ce5434330e00ece036f64"
