"""The responses of `/forward-auth`, requested as each proxy does, and the senders that it does not trust."""

import pytest

from conftest import HOST, Site
from console import Key
from signing import UNSIGNED, Request, sha256
from wire import Answer, ask

PATH = "/forward-auth"
BODY = b'{"item": "book"}'
IDENTITY = ("X-Latchkey-Uin", "X-Latchkey-App-Id", "X-Latchkey-Secret-Id", "X-Latchkey-Content-SHA256")


def as_nginx(request: Request) -> Request:
    told = (("X-Original-Method", request.method), ("X-Original-URI", request.target))
    return Request("GET", PATH, request.headers + told)


def as_caddy(request: Request) -> Request:
    """Also as Traefik, which sends a Host of its own."""
    told = (("X-Forwarded-Method", request.method), ("X-Forwarded-Uri", request.target), ("X-Forwarded-Host", HOST))
    return Request("GET", PATH, request.with_value("Host", "127.0.0.1").headers + told)


def as_envoy(request: Request) -> Request:
    return Request(request.method, PATH + request.target, request.headers)


AS_PROXIES = [as_nginx, as_caddy, as_envoy]


def asked(site: Site, request: Request) -> Answer:
    answer = ask(site.server.api, request)
    assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
    if answer.status != 200:
        assert not [name for name in IDENTITY if name in answer.headers]
    return answer


def check_identity(site: Site, answer: Answer, content_sha256: str) -> None:
    assert answer.status == 200, answer.body
    uin, app_id, secret_id, told = (answer.headers[name] for name in IDENTITY)
    assert (uin, secret_id, told) == (site.owner.account.uin, site.key.secret_id, content_sha256)
    assert app_id.isdigit()


@pytest.mark.parametrize("as_proxy", AS_PROXIES)
def test_a_signed_request_is_let_through_with_its_identity(trusting: Site, as_proxy: object) -> None:
    for target in ("/orders?all=1", "//x", "/a/../b", "/a%2fb", "/forward-auth"):
        check_identity(trusting, asked(trusting, as_proxy(trusting.signed("GET", target))), sha256(b""))
    check_identity(trusting, asked(trusting, as_proxy(trusting.signed("POST", "/orders", BODY))), sha256(BODY))


@pytest.mark.parametrize("as_proxy", AS_PROXIES)
def test_what_is_not_signed_is_refused(trusting: Site, as_proxy: object) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        for target in ("/orders", "//", "/forward-auth", "/healthz", "/v1/verify"):
            answer = asked(trusting, as_proxy(Request(method, target, (("Host", HOST),))))
            assert (answer.status, answer.code) == (401, "AuthFailure.InvalidAuthorization")
            assert answer.headers.get_all("WWW-Authenticate") == ["AWS4-HMAC-SHA256", "TC3-HMAC-SHA256"]


ROOTS = ("/", "/?", "/?all=1")


@pytest.mark.parametrize("as_proxy", AS_PROXIES)
@pytest.mark.parametrize("target", [*ROOTS, "/.", "//"])
def test_the_root_is_an_address_like_any_other(trusting: Site, as_proxy: object, target: str) -> None:
    for method in ("GET", "POST"):
        # A proxy takes any 200 as permission, whatever it contains.
        assert asked(trusting, as_proxy(Request(method, target, (("Host", HOST),)))).status == 401
        check_identity(trusting, asked(trusting, as_proxy(trusting.signed(method, target))), sha256(b""))


WRONG = ["/forward-auth/", "/forward_auth", "/forwardauth", "/forward-auth2", "/auth", "//forward-auth"]


@pytest.mark.parametrize("path", WRONG)
def test_a_proxy_with_a_wrong_address_is_not_told_yes(trusting: Site, plain: Site, path: str) -> None:
    request = as_nginx(Request("GET", "/orders", (("Host", HOST),)))
    for site in (trusting, plain):
        for method in ("GET", "POST"):
            assert asked(site, Request(method, path, request.headers)).status >= 400


def test_the_codes_of_refusals(trusting: Site, unknown_key: Key) -> None:
    def signed(**more: object) -> Request:
        return trusting.signed("GET", "/orders", **more)

    def told(request: Request) -> tuple[int, str]:
        answers = [asked(trusting, as_proxy(request)) for as_proxy in AS_PROXIES]
        (outcome,) = {(answer.status, answer.code) for answer in answers}
        return outcome

    assert told(signed(late_by=400)) == (401, "AuthFailure.SignatureExpire")
    assert told(signed().with_value("Content-Type", "text/plain")) == (401, "AuthFailure.SignatureFailure")
    assert told(signed().with_headers(("X-TC-Token", "x"))) == (401, "AuthFailure.TokenFailure")
    assert told(signed(payload=UNSIGNED)) == (403, "AuthFailure.UnauthorizedOperation")
    unknown = signed().get("Authorization").replace(trusting.key.secret_id, unknown_key.secret_id)
    assert told(signed().with_value("Authorization", unknown)) == (401, "AuthFailure.SecretIdNotFound")
    shapeless = signed().get("Authorization").replace(trusting.key.secret_id, "AKID1")
    assert told(signed().with_value("Authorization", shapeless)) == (401, "AuthFailure.InvalidSecretId")


@pytest.mark.parametrize("as_proxy", AS_PROXIES)
def test_a_disabled_key_is_refused_at_once(trusting: Site, as_proxy: object) -> None:
    trusting.owner.disable(trusting.key.secret_id)
    try:
        answer = asked(trusting, as_proxy(trusting.signed("GET", "/orders")))
        assert (answer.status, answer.code) == (401, "AuthFailure.SecretIdNotFound")
    finally:
        trusting.owner.enable(trusting.key.secret_id)
    check_identity(trusting, asked(trusting, as_proxy(trusting.signed("GET", "/orders"))), sha256(b""))


@pytest.mark.parametrize("as_proxy", AS_PROXIES)
def test_payloads_need_not_be_signed_where_the_setting_says_so(lenient: Site, as_proxy: object) -> None:
    request = as_proxy(lenient.signed("POST", "/orders", BODY, payload=UNSIGNED))
    check_identity(lenient, asked(lenient, request), UNSIGNED)


# --- The description of the original request --------------------------------------------------------------------------


@pytest.mark.parametrize("as_proxy", AS_PROXIES)
def test_headers_from_anybody_but_a_trusted_proxy_are_not_believed(plain: Site, as_proxy: object) -> None:
    assert asked(plain, as_proxy(plain.signed("GET", "/orders"))).status == 401


@pytest.mark.parametrize("as_proxy", AS_PROXIES[:2])
def test_to_anybody_but_a_trusted_proxy_the_request_is_the_one_that_was_sent(plain: Site, as_proxy: object) -> None:
    own = plain.signed("GET", PATH)
    headers = as_proxy(plain.signed("GET", "/orders")).without(*(name for name, _ in own.headers)).headers
    check_identity(plain, asked(plain, own.with_headers(*headers)), sha256(b""))


def test_a_proxy_that_says_two_things_is_refused(trusting: Site) -> None:
    request = trusting.signed("GET", "/public")
    original = (("X-Original-Method", "GET"), ("X-Original-URI", "/public"))
    forwarded = (("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/public"))
    lie = (("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/secret"))
    other_lie = (("X-Original-Method", "DELETE"), ("X-Original-URI", "/public"))

    def told(*headers: tuple[str, str], path: str = PATH) -> int:
        return asked(trusting, Request("GET", path, request.headers + headers)).status

    assert told(*original, *forwarded) == told(*original) == told(*forwarded) == 200
    assert told(*original, *lie) == told(*other_lie, *forwarded) == 403
    assert told(*original, path=PATH + "/secret") == told(*forwarded, path=PATH + "/secret") == 403


def test_a_proxy_that_does_not_say_it_all_is_refused(trusting: Site) -> None:
    request = trusting.signed("GET", PATH)
    pairs = [("X-Original-Method", "X-Original-URI"), ("X-Forwarded-Method", "X-Forwarded-Uri")]
    said = []
    for method, uri in pairs:
        said += [
            ((method, "GET"),),
            ((uri, PATH),),
            ((method, "GET"), (method, "GET"), (uri, PATH)),
            ((method, "GET"), (uri, PATH), (uri, PATH)),
            ((method, ""), (uri, PATH)),
            ((method, "GET"), (uri, "")),
            ((method, "G T"), (uri, PATH)),
            ((method, "GET"), (uri, "forward-auth")),
            ((method, "GET"), (uri, f"http://{HOST}{PATH}")),
            ((method, "GET"), (uri, "*")),
        ]
    for headers in (*said, ()):
        answer = asked(trusting, request.with_headers(*headers))
        assert (answer.status, answer.code) == (403, "InvalidParameter"), headers


def test_a_host_said_twice_is_refused(trusting: Site) -> None:
    request = as_caddy(trusting.signed("GET", "/orders"))
    assert asked(trusting, request).status == 200
    assert asked(trusting, request.with_headers(("X-Forwarded-Host", HOST))).status in (401, 403)
    assert asked(trusting, request.with_value("X-Forwarded-Host", "other.example")).status == 401
