"""The log cannot be written: its disk is full, or it is a pipe that nobody reads or that is closed."""

import fcntl
import os
from collections.abc import Callable

from calls import get_status
from installation import API, PAGE, Site
from outcome import Outcome
from stage import Fault, Stage
from truth import DISABLED, ENABLED

REQUESTS = 200
# The smallest capacity of a pipe: a dozen lines.
PIPE_BYTES = 4096


def _played_on(site: Site, outcome: Outcome) -> None:
    answered = 0
    for _ in range(REQUESTS):
        # Each request is a line in the log.
        if get_status(site.server.api, "/readyz", 3) is None:
            break
        answered += 1
    outcome.must(answered == REQUESTS, f"after {answered} requests there is no answer")
    if answered < REQUESTS:
        return
    healthy = site.command("healthcheck", "--console", site.server.console, "--api", site.server.api)
    outcome.must(healthy.returncode == 0, f"healthcheck: {healthy.stderr.strip()}")
    for way in (PAGE, API):
        for state in (DISABLED, ENABLED):
            done = site.change(way, state)
            outcome.must(done.acknowledged, f"a change by {way} was not acknowledged: {done.words}")
            outcome.must(site.call().decided, "a signed call was not decided")
    site.check_alive()
    site.settle()


def _on(open_stderr: Callable[[], tuple[int, list[int]]]) -> Callable[[Stage, Outcome], None]:
    def play(stage: Stage, outcome: Outcome) -> None:
        stderr, others = open_stderr()
        try:
            site = Site(stage, stderr=stderr)
        finally:
            os.close(stderr)
        try:
            _played_on(site, outcome)
        finally:
            for other in others:
                os.close(other)

    return play


def _full() -> tuple[int, list[int]]:
    return os.open("/dev/full", os.O_WRONLY), []


def _closed() -> tuple[int, list[int]]:
    reader, writer = os.pipe()
    os.close(reader)
    return writer, []


def _unread() -> tuple[int, list[int]]:
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return writer, [reader]


FAULTS = (
    Fault("log-full", _on(_full), short=("sqlite",)),
    Fault("log-closed", _on(_closed), short=("sqlite",)),
    Fault("log-unread", _on(_unread), short=("sqlite",)),
)
