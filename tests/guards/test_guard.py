"""The behaviour that only the built-in guard has."""

import http.client
import json
import secrets
import socket
from collections.abc import Callable, Iterator

import pytest

from backend import STREAM, BackEnd
from conftest import BUILT_IN, Door, Site
from console import Key
from signing import UNSIGNED, Request, sha256
from wire import SECONDS, Connection, ask, echoed, is_cut, raw, status

MOST = 10 * 1024 * 1024
BODY = b'{"item": "book"}'


@pytest.fixture
def guard(plain: Site, back_end: BackEnd) -> Door:
    return Door(BUILT_IN, plain.guard, plain, back_end)


def test_a_body_within_the_limit_passes_and_one_over_it_does_not(guard: Door) -> None:
    body = secrets.token_bytes(MOST)
    assert guard.ask(guard.signed("POST", "/upload", body)).served().body == body
    outcome = guard.ask(guard.signed("POST", "/upload", body + b"x"))
    outcome.check_refused(413)
    assert outcome.answer.code == "RequestSizeLimitExceeded"


def test_a_long_body_without_a_usable_signature_is_not_waited_for(guard: Door, unknown_key: Key) -> None:
    length = ("Content-Length", str(MOST))
    unsigned = Request("PUT", "/upload", (("Host", guard.address), length))
    for request in (unsigned, guard.signed("PUT", "/upload", key=unknown_key).with_headers(length)):
        with raw(guard.address, request) as (_, head):
            assert status(head) == 401
            assert not guard.back_end.take()


def test_the_upstream_is_down(abandoned: Site) -> None:
    for language, words in (("en-US", "does not answer"), ("zh-CN", "后端服务没有响应"), ("ja-JP", "応答しません")):
        request = abandoned.signed().with_headers(("X-TC-Language", language))
        answer = ask(abandoned.guard, request)
        assert (answer.status, answer.code) == (502, "InternalError.UpstreamFailure")
        assert words in json.loads(answer.body)["Response"]["Error"]["Message"]
    # Unauthenticated clients are not told that it is down.
    assert ask(abandoned.guard, Request("GET", "/", (("Host", "x"),))).status == 401


def test_an_answer_is_passed_on_while_it_is_written(guard: Door) -> None:
    guard.back_end.go_on.clear()
    try:
        with Connection(guard.address) as connection:
            response = connection.send(guard.signed("GET", STREAM))
            assert response.status == 200
            # The last part is written only after this has arrived.
            assert response.read(6) == b"first\n"
            guard.back_end.go_on.set()
            assert response.read() == b"last\n"
            # The connection can be reused.
            assert guard.ask(guard.signed(), connection).was_served
    finally:
        guard.back_end.go_on.set()


def test_connections_are_kept_and_used_again(guard: Door) -> None:
    with Connection(guard.address) as connection:
        received = [guard.ask(guard.signed("POST", f"/{n}", BODY), connection).served() for n in range(20)]
    assert [one.target for one in received] == [f"/{n}" for n in range(20)]
    assert len({one.connection for one in received}) < len(received)


def test_two_clients_share_no_identity(guard: Door) -> None:
    second = guard.owner.create_key()
    try:
        for key in (guard.key, second, guard.key):
            assert guard.ask(guard.signed(key=key)).served().get("X-Latchkey-Secret-Id") == key.secret_id
    finally:
        guard.owner.remove_all_but(guard.key)


def test_what_only_proxies_say_does_not_reach_the_back_end(guard: Door) -> None:
    names = ("X-Forwarded-Prefix", "X-Forwarded-Server", "X-Original-URL", "X-Rewrite-URL", "X-Real-IP", "Forwarded")
    names += ("X-HTTP-Method-Override", "X_Forwarded_For", "X-Latchkey-Anything")
    names += ("X-Forwarded-Proto", "X.Real.IP", "X_Original.URL")
    received = guard.ask(guard.signed().with_headers(*((name, "forged") for name in names))).served()
    assert "forged" not in [value for _, value in received.headers]
    assert received.get("X-Forwarded-Proto") == "http"
    assert (received.get("X-Forwarded-For"), received.get("X-Forwarded-Host")) == ("127.0.0.1", guard.address)


def test_headers_between_neighbours_are_not_passed_on(guard: Door) -> None:
    sent = (
        ("Connection", "X-Mine, close"),
        ("X-Mine", "1"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("X-Own", "2"),
    )
    received = guard.ask(guard.signed().with_headers(*sent)).served()
    assert received.get("X-Own") == "2"
    assert not {"x-mine", "keep-alive", "te"} & {name.lower() for name, _ in received.headers}


@pytest.mark.parametrize("named", ["Content-Type", "Host", "X-TC-Action", "X-Project"])
def test_what_was_signed_cannot_be_taken_away(guard: Door, named: str) -> None:
    signed = guard.signed(also=(("X-TC-Action", "ListOrders"), ("X-Project", "7")))
    guard.ask(signed).served()
    outcome = guard.ask(signed.with_headers(("Connection", named)))
    if outcome.received:
        assert outcome.served().get(named) == signed.get(named)
    else:
        outcome.check_refused(403)


def test_payloads_need_not_be_signed_where_the_setting_says_so(lenient: Site, back_end: BackEnd) -> None:
    door = Door(BUILT_IN, lenient.guard, lenient, back_end)
    received = door.ask(door.signed("POST", "/orders", BODY, payload=UNSIGNED)).served()
    assert (received.body, received.get("X-Latchkey-Content-SHA256")) == (BODY, UNSIGNED)
    received = door.ask(door.signed("POST", "/orders", BODY)).served()
    assert received.get("X-Latchkey-Content-SHA256") == sha256(BODY)
    door.ask(Request("POST", "/orders", door.signed("POST", "/orders", BODY).headers, b"{}")).check_refused()


# --- Upgrades ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoil", [lambda r: r.without("Authorization"), lambda r: r.with_value("X-TC-Timestamp", "1")])
def test_an_upgrade_that_is_not_signed_is_refused(guard: Door, spoil: Callable[[Request], Request]) -> None:
    guard.back_end.take()
    with raw(guard.address, spoil(guard.upgrade())) as (_, head):
        assert status(head) == 401
    assert not guard.back_end.take()


def test_an_upgraded_connection_is_cut_when_its_key_is_disabled(guard: Door) -> None:
    second = guard.owner.create_key()
    try:
        with raw(guard.address, guard.upgrade()) as (kept, _), raw(guard.address, guard.upgrade(second)) as (cut, _):
            assert echoed(kept, b"a") == echoed(cut, b"a") == b"a"
            guard.owner.disable(second.secret_id)
            assert is_cut(cut)
            # The other connection's key is still enabled.
            assert echoed(kept, b"b") == b"b"
            with raw(guard.address, guard.upgrade(second)) as (_, head):
                assert status(head) == 401
            guard.owner.enable(second.secret_id)
            with raw(guard.address, guard.upgrade(second)) as (client, head):
                assert status(head) == 101
                assert echoed(client, b"c") == b"c"
    finally:
        guard.owner.remove_all_but(guard.key)


def test_an_answer_that_lasts_is_cut_when_its_key_is_disabled(guard: Door) -> None:
    second = guard.owner.create_key()
    guard.back_end.go_on.clear()
    try:
        with Connection(guard.address) as kept, Connection(guard.address) as cut:
            lasting = kept.send(guard.signed("GET", STREAM)), cut.send(guard.signed("GET", STREAM, key=second))
            for response in lasting:
                assert response.read(6) == b"first\n"
            guard.owner.disable(second.secret_id)
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                lasting[1].read()
            # The other connection's key is still enabled.
            guard.back_end.go_on.set()
            assert lasting[0].read() == b"last\n"
    finally:
        guard.back_end.go_on.set()
        guard.owner.remove_all_but(guard.key)


@pytest.mark.parametrize("protocol", ["h2c", "echo", "websocket, h2c"])
def test_nothing_is_upgraded_to_but_web_sockets(guard: Door, protocol: str) -> None:
    # Another version of HTTP would carry requests that nobody checks.
    sent = (
        ("Connection", "Upgrade, HTTP2-Settings"),
        ("Upgrade", protocol),
        ("HTTP2-Settings", "AAMAAABkAAQCAAAAAAIAAAAA"),
    )
    received = guard.ask(guard.signed("GET", "/live").with_headers(*sent)).served()
    assert not {"upgrade", "http2-settings"} & {name.lower() for name, _ in received.headers}


# --- HTTP/2 -----------------------------------------------------------------------------------------------------------

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, RST_STREAM, GOAWAY = 4, 1, 3, 7
# Indexed in the static table of HPACK: GET, http, the path /; then the name localhost.
GET_ROOT = b"\x82\x86\x84\x41\x09localhost"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def frames(client: socket.socket) -> Iterator[int]:
    """Yields the types of the frames that arrive, until the end or a response that is not HTTP/2."""
    reader = client.makefile("rb")
    try:
        while len(head := reader.read(9)) == 9 and not head.startswith(b"HTTP/1"):
            reader.read(int.from_bytes(head[:3]))
            yield head[3]
    except ConnectionResetError:
        pass


@pytest.mark.parametrize("listener", ["console", "api", "guard"])
def test_http_2_is_not_served(plain: Site, listener: str) -> None:
    # The limits assume one request at a time on a connection, and signatures cover the Host header.
    address = plain.guard if listener == "guard" else getattr(plain.server, listener)
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=SECONDS) as client:
        client.sendall(PREFACE + frame(SETTINGS, 0, 0, b"") + frame(HEADERS, 5, 1, GET_ROOT))
        for kind in frames(client):
            assert kind != HEADERS, "answered"
            if kind in (RST_STREAM, GOAWAY):
                break
