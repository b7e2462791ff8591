"""Clients that occupy resources: slow bodies, responses that nobody reads, idle connections."""

import contextlib
import selectors
import socket
import threading
import time

from bs4 import BeautifulSoup

import calls
import machine
from backend import BackEnd
from calls import call, get_status, request
from installation import Site
from outcome import Outcome
from stage import Fault, Stage

# The longest time that an honest client waits.
HONEST_SECONDS = 2.0
# The time until stalled connections have been closed, which takes ten seconds.
FREED_SECONDS = 15.0
# Half a MiB for each of a listener's connection slots.
MOST_MIB = 512
HONEST_BODY = b"{" + b" " * 80_000 + b"}"
# Loopback addresses of this machine.
STRANGERS = [f"127.0.1.{last}" for last in range(1, 17)]


class Crowd:
    """Connections from many addresses that send requests but read no responses."""

    def __init__(self, address: str):
        host, _, port = address.partition(":")
        self._to = (host, int(port))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def join(self, count: int, sent: bytes, dribble: bytes = b"") -> None:
        """Opens `count` connections. Each sends `sent`, and then `dribble` twice a second."""
        waiting = selectors.DefaultSelector()
        for at in range(count):
            one = socket.socket()
            # A small receive buffer, so that little data is in transit to a client that does not read.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.bind((STRANGERS[at % len(STRANGERS)], 0))
            one.setblocking(False)
            one.connect_ex(self._to)
            waiting.register(one, selectors.EVENT_WRITE, memoryview(sent))
            self._open.append(one)
        self._send(waiting)
        if dribble:
            threading.Thread(target=self._dribble, args=(dribble,), daemon=True).start()

    def _send(self, waiting: selectors.BaseSelector) -> None:
        """Sends until nothing more is accepted."""
        while waiting.get_map() and (ready := waiting.select(1)):
            for key, _ in ready:
                left = key.data
                try:
                    left = left[key.fileobj.send(left) :]
                except BlockingIOError:
                    continue
                except OSError:
                    left = b""
                if left:
                    waiting.modify(key.fileobj, selectors.EVENT_WRITE, left)
                else:
                    waiting.unregister(key.fileobj)
        waiting.close()

    def _dribble(self, sent: bytes) -> None:
        while not self._stopped.wait(0.5):
            with self._lock:
                for one in self._open:
                    with contextlib.suppress(OSError):
                        one.send(sent)

    def stop(self) -> None:
        self._stopped.set()
        with self._lock:
            for one in self._open:
                one.close()
            self._open.clear()


def _crowd(stage: Stage, address: str) -> Crowd:
    crowd = Crowd(address)
    stage.keep(crowd)
    return crowd


def _head(*lines: str) -> bytes:
    return "\r\n".join([*lines, "", ""]).encode()


# --- Slow bodies ------------------------------------------------------------------------------------------------------


def slow_bodies(stage: Stage, outcome: Outcome) -> None:
    """Seven requests of nine megabytes each, with an existing SecretId, which arrive a few bytes at a time."""
    site = Site(stage)
    claimed = request(site.server.api, site.key, calls.WHO_AM_I, b"{}").headers
    head = _head("POST / HTTP/1.1", *(f"{name}: {value}" for name, value in claimed), "Content-Length: 9000000")
    _crowd(stage, site.server.api).join(7, head, dribble=b" " * 64)
    _is_answered(site, outcome, "slow bodies")
    site.recover(5)
    site.settle()


def slow_forms(stage: Stage, outcome: Outcome) -> None:
    """Sixty-five forms of a megabyte each, as in signature version 1."""
    site = Site(stage)
    content_type = "Content-Type: application/x-www-form-urlencoded"
    head = _head("POST / HTTP/1.1", f"Host: {site.server.api}", content_type, "Content-Length: 1000000")
    form = f"Action=GetCallerIdentity&Version=2018-08-13&SecretId={site.key.secret_id}&Nonce=1&Pad="
    _crowd(stage, site.server.api).join(65, head + form.encode(), dribble=b"x" * 64)
    _is_answered(site, outcome, "slow forms")
    site.recover(5)
    site.settle()


def _is_answered(site: Site, outcome: Outcome, beside: str) -> None:
    slowest = 0.0
    for _ in range(3):
        # The server must already be waiting for them before they can block anybody.
        time.sleep(0.3)
        told = site.call(body=HONEST_BODY)
        outcome.must(told.accepted, f"beside {beside}, a call of 80 KB is refused: {told.refusal}")
        slowest = max(slowest, told.seconds)
        if slowest > HONEST_SECONDS:
            break
    outcome.must(slowest <= HONEST_SECONDS, f"beside {beside}, a call of 80 KB takes {slowest:.1f} s")
    outcome.saw(f"a call of 80 KB within {slowest:.2f} s")


# --- Clients that do not read -----------------------------------------------------------------------------------------

READERS = 1100


def no_readers(stage: Stage, outcome: Outcome) -> None:
    """Each of eleven hundred connections sends many requests and reads none of the responses."""
    back_end = BackEnd()
    stage.keep(back_end)
    site = Site(stage, "--guard", "127.0.0.1:0", "--guard-upstream", f"http://{back_end.address}")
    guard = site.listening("guard")
    before = machine.resident_mib(site.server.process.pid)
    signed = calls.as_bytes(request(guard, site.key, calls.WHO_AM_I, b"{}"))
    _stuck(stage, outcome, "console", site.server.console, _stylesheet(site) * 200)
    _stuck(stage, outcome, "guard", guard, signed * 200)
    grown = machine.resident_mib(site.server.process.pid) - before
    outcome.must(grown <= MOST_MIB, f"the server has grown by {grown:.0f} MiB")
    outcome.saw(f"grown by {grown:.0f} MiB")
    site.recover(FREED_SECONDS)
    site.settle()


def _stylesheet(site: Site) -> bytes:
    page = site.owner.look()
    link = BeautifulSoup(page.text, "html.parser").find("link", rel="stylesheet")["href"]
    return _head(f"GET {link} HTTP/1.1", f"Host: localhost:{site.server.console.partition(':')[2]}")


def _stuck(stage: Stage, outcome: Outcome, listener: str, address: str, asked: bytes) -> None:
    crowd = _crowd(stage, address)
    crowd.join(READERS, asked)
    answered = machine.wait_for(lambda: get_status(address, "/healthz", 1) is not None, FREED_SECONDS)
    words = f"beside {READERS} who do not read, nobody is answered by the {listener} in {FREED_SECONDS:g} s"
    if outcome.must(answered is not None, words):
        outcome.saw(f"{listener} answers within {answered:.1f} s")
    crowd.stop()


# --- Idle connections -------------------------------------------------------------------------------------------------

IDLE = 3000


def idle(stage: Stage, outcome: Outcome) -> None:
    site = Site(stage)
    before = machine.resident_mib(site.server.process.pid)
    _crowd(stage, site.server.api).join(IDLE, b"")
    slowest = 0.0
    for _ in range(3):
        began = time.monotonic()
        answered = get_status(site.server.api, "/healthz", 2 * HONEST_SECONDS) == 200
        slowest = max(slowest, time.monotonic() - began)
        if not outcome.must(answered and slowest <= HONEST_SECONDS, f"/healthz takes more than {HONEST_SECONDS:g} s"):
            break
    told = call(site.server.api, site.key)
    outcome.must(told.accepted, f"beside {IDLE} idle connections, a call is not answered: {told.refusal}")
    grown = machine.resident_mib(site.server.process.pid) - before
    outcome.must(grown <= MOST_MIB, f"the server has grown by {grown:.0f} MiB")
    outcome.saw(f"/healthz within {slowest:.2f} s; grown by {grown:.0f} MiB")
    site.recover(FREED_SECONDS)
    site.settle()


FAULTS = (
    Fault("slow-bodies", slow_bodies, ("sqlite",), short=("sqlite",)),
    Fault("slow-forms", slow_forms, ("sqlite",)),
    Fault("no-readers", no_readers, ("sqlite",)),
    Fault("idle-flood", idle, ("sqlite",), short=("sqlite",)),
)
