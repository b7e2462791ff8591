"""`POST /v1/verify`: a back end describes a request that it received, and is told whether it is validly signed."""

import json
import secrets
from uuid import UUID

import pytest

from conftest import HOST, Site
from console import Key
from signing import UNSIGNED, Request, sha256
from wire import Answer, ask

PATH = "/v1/verify"
BODY = b'{"item": "book"}'


def post(site: Site, question: bytes, *authorization: str) -> Answer:
    headers = [("Host", site.server.api), ("Content-Type", "application/json")]
    headers += [("Authorization", value) for value in authorization]
    answer = ask(site.server.api, Request("POST", PATH, tuple(headers), question))
    assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    return answer


def question_of(request: Request, **other: object) -> dict:
    question = {
        "method": request.method,
        "uri": request.target,
        "headers": dict(request.headers),
        "body_sha256": sha256(request.body),
    }
    return question | other


class Verify:
    """Asks with a valid token."""

    def __init__(self, site: Site, token: str):
        self.site = site
        self._token = token

    def answer(self, question: object) -> Answer:
        body = question if isinstance(question, bytes) else json.dumps(question).encode()
        return post(self.site, body, f"Bearer {self._token}")

    def told(self, question: dict) -> dict:
        answer = self.answer(question)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json"), answer.body
        return json.loads(answer.body)

    def code(self, question: dict) -> str:
        """Returns the code of a request that is not valid."""
        told = self.told(question)
        assert told == {"valid": False, "code": told["code"], "request_id": str(UUID(told["request_id"]))}
        return told["code"]

    def is_valid(self, question: dict) -> bool:
        told = self.told(question)
        if not told["valid"]:
            return False
        app_id = told.pop("app_id")
        assert app_id.isdigit()
        account = self.site.owner.account
        assert told == {"valid": True, "code": "VALID", "uin": account.uin, "secret_id": self.site.key.secret_id}
        return True


@pytest.fixture
def verify(trusting: Site, verify_token: str) -> Verify:
    return Verify(trusting, verify_token)


def test_a_signed_request_is_valid(verify: Verify) -> None:
    for target in ("/", "/orders?after=2024-01-01&q=a+b", "//x", "/a/../b", "/a%2fb", "/x?"):
        assert verify.is_valid(question_of(verify.site.signed("GET", target)))
    for method in ("POST", "PUT", "PATCH"):
        assert verify.is_valid(question_of(verify.site.signed(method, "/orders", BODY)))


def test_headers_may_come_in_lower_case_and_as_lists(verify: Verify) -> None:
    question = question_of(verify.site.signed("POST", "/orders", BODY))
    headers = question["headers"]
    assert verify.is_valid(question | {"headers": {name.lower(): value for name, value in headers.items()}})
    assert verify.is_valid(question | {"headers": {name: [value] for name, value in headers.items()}})
    assert verify.is_valid(question | {"headers": headers | {"Accept": ["a/b", "c/d"]}})
    for name in ("Authorization", "Host", "Content-Type", "X-TC-Timestamp"):
        # A signed header may repeat the same value, but host, timestamp and signature must occur once.
        twice = headers | {name: [headers[name], headers[name]]}
        assert verify.is_valid(question | {"headers": twice}) == (name == "Content-Type"), name
        differing = headers | {name: [headers[name], headers[name] + "0"]}
        assert not verify.is_valid(question | {"headers": differing}), name
        twice = headers | {name.upper(): headers[name], name.lower(): headers[name]}
        assert not verify.is_valid(question | {"headers": twice}), name


def test_anything_else_than_what_was_signed(verify: Verify) -> None:
    question = question_of(verify.site.signed("POST", "/orders?all=1", BODY))
    assert verify.is_valid(question)
    failure = "AuthFailure.SignatureFailure"
    for other in ({"method": "PUT"}, {"method": "post"}, {"uri": "/orders"}, {"uri": "/orders?all=2"}):
        assert verify.code(question | other) == failure
    assert verify.code(question | {"body_sha256": sha256(b"another")}) == failure
    for name, value in (("Host", "other.example"), ("Content-Type", "text/plain")):
        assert verify.code(question | {"headers": question["headers"] | {name: value}}) == failure


def test_the_codes_of_what_is_not_valid(verify: Verify, unknown_key: Key) -> None:
    signed = verify.site.signed
    own = verify.site.key.secret_id

    def with_header(name: str, value: str) -> dict:
        question = question_of(signed())
        return question | {"headers": question["headers"] | {name: value}}

    malformed = "AuthFailure.InvalidAuthorization"
    authorization = signed().get("Authorization")
    assert verify.code(question_of(Request("GET", "/", (("Host", HOST),)))) == malformed
    for value in ("SKIP", "", "TC3-HMAC-SHA256 Credential=x", authorization.replace("content-type;", "")):
        assert verify.code(with_header("Authorization", value)) == malformed
    for value in ("", "soon", "1e9"):
        assert verify.code(with_header("X-TC-Timestamp", value)) == malformed
    shapeless = authorization.replace(own, "AKID1")
    assert verify.code(with_header("Authorization", shapeless)) == "AuthFailure.InvalidSecretId"
    unknown = authorization.replace(own, unknown_key.secret_id)
    assert verify.code(with_header("Authorization", unknown)) == "AuthFailure.SecretIdNotFound"
    assert verify.code(with_header("Content-Type", "text/plain")) == "AuthFailure.SignatureFailure"
    for late_by in (400, -400):
        assert verify.code(question_of(signed(late_by=late_by))) == "AuthFailure.SignatureExpire"
    assert verify.code(with_header("X-TC-Token", "x")) == "AuthFailure.TokenFailure"
    unsigned = question_of(signed("POST", "/", BODY, payload=UNSIGNED), body_sha256=UNSIGNED)
    assert verify.code(unsigned) == "AuthFailure.UnauthorizedOperation"
    for other in (
        {"headers": {"Not a name": "x"}},
        {"headers": {"X-Two-Lines": "a\nb"}},
        {"headers": {**dict(signed().headers), "X-Tenant": "own", "x-tenant": "other"}},
        {"uri": "orders"},
        {"uri": ""},
        {"uri": "/a\nb"},
        {"method": ""},
        {"method": "GET\n/"},
    ):
        assert verify.code(question_of(signed()) | other) == "InvalidParameter", other
    for sent in ("", "x", sha256(BODY).upper(), sha256(BODY)[:-1], "unsigned-payload"):
        assert verify.code(question_of(signed("POST", "/", BODY), body_sha256=sent)) == malformed


def test_a_disabled_key_is_not_valid_at_once(verify: Verify) -> None:
    for _ in range(3):
        assert verify.is_valid(question_of(verify.site.signed()))
        verify.site.owner.disable(verify.site.key.secret_id)
        try:
            # The same code as for a key that does not exist.
            assert verify.code(question_of(verify.site.signed())) == "AuthFailure.SecretIdNotFound"
        finally:
            verify.site.owner.enable(verify.site.key.secret_id)
    assert verify.is_valid(question_of(verify.site.signed()))


def test_a_deleted_key_is_not_valid(verify: Verify) -> None:
    owner, own = verify.site.owner, verify.site.key
    second = owner.create_key()
    request = verify.site.signed("GET", "/")
    try:
        owner.disable(second.secret_id)
    finally:
        owner.remove_all_but(own)
    authorization = request.get("Authorization").replace(own.secret_id, second.secret_id)
    question = question_of(request.with_value("Authorization", authorization))
    assert verify.code(question) == "AuthFailure.SecretIdNotFound"


def test_payloads_need_not_be_signed_where_the_setting_says_so(lenient: Site, lenient_token: str) -> None:
    verify = Verify(lenient, lenient_token)
    request = lenient.signed("POST", "/orders", BODY, payload=UNSIGNED)
    assert verify.is_valid(question_of(request, body_sha256=UNSIGNED))
    assert verify.is_valid(question_of(lenient.signed("POST", "/orders", BODY)))
    assert not verify.is_valid(question_of(request))


def test_the_address_the_back_end_names_is_recorded(verify: Verify) -> None:
    for address in ("192.0.2.7", "2001:db8::7"):
        path = f"/{secrets.token_hex(8)}"
        assert verify.is_valid(question_of(verify.site.signed("GET", path), address=address))
        page = verify.site.owner.get(f"/cam/capi/keys/{verify.site.key.secret_id}")
        (row,) = [row for row in page.select("table.calls tbody tr") if path in row.get_text()]
        assert row.select_one("td:nth-of-type(3)").get_text(strip=True) == address


# --- Authorization and format -----------------------------------------------------------------------------------------


def test_whoever_has_no_token_may_not_ask(trusting: Site, verify_token: str) -> None:
    right = f"Bearer {verify_token}"
    question = json.dumps(question_of(trusting.signed())).encode()
    assert post(trusting, question, right).status == 200
    wrong = [
        (),
        ("Bearer ",),
        ("Bearer x",),
        (verify_token,),
        (f"Basic {verify_token}",),
        (right + "x",),
        (right[:-1],),
        (f"Bearer {verify_token.swapcase()}",),
        (right, right),
        ("Bearer x", right),
        (trusting.signed().get("Authorization"),),
    ]
    for authorization in wrong:
        answer = post(trusting, question, *authorization)
        assert answer.status == 401, authorization
        assert "Bearer" in json.loads(answer.body)["error"]


def test_each_line_of_the_file_is_a_token(verify: Verify, other_verify_token: str) -> None:
    assert Verify(verify.site, other_verify_token).is_valid(question_of(verify.site.signed()))


def test_without_the_setting_there_is_no_such_address(plain: Site, verify_token: str) -> None:
    question = json.dumps(question_of(plain.signed())).encode()
    for authorization in ((), (f"Bearer {verify_token}",)):
        answer = post(plain, question, *authorization)
        assert answer.status == 404
        assert "--verify-token-file" in json.loads(answer.body)["error"]


def test_a_question_that_cannot_be_read(verify: Verify) -> None:
    right = question_of(verify.site.signed())
    without = [{name: value for name, value in right.items() if name != missing} for missing in right]
    wrong = [
        *without,
        right | {"more": 1},
        right | {"method": 1},
        right | {"uri": None},
        right | {"headers": []},
        right | {"headers": {"Host": 1}},
        right | {"headers": {"Host": [["x"]]}},
        right | {"body_sha256": None},
        right | {"address": "nowhere"},
        [],
        "x",
        None,
    ]
    bodies = [json.dumps(question).encode() for question in wrong]
    twice = json.dumps(right).encode().replace(b'"headers": {', b'"headers": {"Host": "elsewhere", ', 1)
    for body in (*bodies, twice, b"", b"{", b"\xff\xfe", b"method=GET", b"{}{}"):
        answer = verify.answer(body)
        assert answer.status == 400, body
        assert json.loads(answer.body)["error"].startswith("the request body is malformed: ")


def test_a_question_that_is_too_long(verify: Verify) -> None:
    right = question_of(verify.site.signed())
    assert verify.is_valid(right | {"headers": right["headers"] | {"X-Long": "x" * 200_000}})
    answer = verify.answer(right | {"headers": right["headers"] | {"X-Long": "x" * 300_000}})
    assert answer.status == 413
    assert "256 KiB" in json.loads(answer.body)["error"]


def test_it_is_asked_with_post_only(trusting: Site, verify_token: str) -> None:
    headers = (("Host", trusting.server.api), ("Authorization", f"Bearer {verify_token}"))
    for method in ("GET", "PUT", "DELETE", "HEAD"):
        assert ask(trusting.server.api, Request(method, PATH, headers)).status == 405
