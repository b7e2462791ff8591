"""Sixty-four connections make calls back to back through two servers, while the key's state changes."""

import base64
import json
import re
import subprocess
import sys
import time
from array import array
from collections.abc import Iterable
from pathlib import Path

import machine
from calls import FAULT, UNKNOWN_KEY, WHO_AM_I, as_bytes, call, request
from installation import API, COMMAND, PAGE, Site
from outcome import Outcome
from signing import Request
from stage import Fault, Stage
from truth import DISABLED, ENABLED

CONNECTIONS = 64
# HOST:PORT, and the request that is sent there.
Target = tuple[str, Request]
# A very generous limit: even under load, a change takes effect at once.
MOST_SECONDS = 2.0
REFUSALS = (None, UNKNOWN_KEY, FAULT)


class Load:
    """A running load. The signature of its calls is valid for five minutes."""

    def __init__(self, site: Site, seconds: float, targets: Iterable[Target] = ()):
        """Calls the API of all servers, unless there are other targets."""
        targets = targets or [(api, request(api, site.key, WHO_AM_I, b"{}")) for api in (s.api for s in site.servers)]
        plan = {
            "connections": CONNECTIONS,
            "seconds": seconds,
            "servers": [
                {"address": address, "request": base64.b64encode(as_bytes(made)).decode()} for address, made in targets
            ],
        }
        self._calls = site.directory / f"load-{time.monotonic_ns()}"
        with self._calls.open("wb") as calls:
            program = [sys.executable, str(Path(__file__).with_name("load.py"))]
            self.process = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=calls)
        site.stage.keep_process(self.process)
        self.process.stdin.write(json.dumps(plan).encode() + b"\n")
        self.process.stdin.close()

    def wait(self) -> list[tuple[float, float, str | None]]:
        """Returns the start, the end and the refusal of each call."""
        if self.process.wait() != 0:
            raise RuntimeError("the load has failed")
        numbers = array("d")
        numbers.frombytes(self._calls.read_bytes())
        self._calls.unlink()
        return [
            (began, ended, REFUSALS[int(outcome)])
            for began, ended, outcome in zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        ]


def flood(stage: Stage, outcome: Outcome) -> None:
    site = Site(stage, servers=2)
    seconds = stage.pick(6, 20)
    load = Load(site, seconds)
    until = time.monotonic() + seconds - 0.5
    waits: dict[str, list[float]] = {PAGE: [], API: [], COMMAND: []}
    turn = 0
    while time.monotonic() < until:
        way, at = list(waits)[turn // 2 % 3], turn % len(site.servers)
        done = site.change(way, (DISABLED, ENABLED)[turn % 2], at)
        outcome.must(done.acknowledged, f"a change by {way} was not acknowledged: {done.words}")
        waits[way].append(done.seconds)
        # In between, calls reflect the new state, and are checked.
        time.sleep(0.05)
        turn += 1
    calls = load.wait()
    for one in calls:
        site.judge(*one)
    faults = sum(refusal == FAULT for _, _, refusal in calls)
    outcome.must(faults == 0, f"{faults} of {len(calls)} calls failed")
    everything = [wait for one in waits.values() for wait in one]
    outcome.must(machine.percentile(everything, 0.99) <= MOST_SECONDS, f"changes take longer than {MOST_SECONDS:g} s")
    outcome.saw(f"{len(calls) / seconds:.0f} calls/s, p99 {_ms([ended - began for began, ended, _ in calls], 0.99)} ms")
    outcome.saw("changes p50/p99/max ms: " + ", ".join(f"{way} {_three(one)}" for way, one in waits.items() if one))
    site.recover(10)
    site.settle()


def saturation(stage: Stage, outcome: Outcome) -> None:
    site = Site(stage, servers=2)
    seconds = 20
    loads = [_wrk(site, at, seconds) for at in range(len(site.servers))]
    until = time.monotonic() + seconds - 1
    waits: dict[str, list[float]] = {PAGE: [], API: [], COMMAND: []}
    turn = refused = 0
    while time.monotonic() < until:
        way, at = list(waits)[turn // 2 % 3], turn % len(site.servers)
        done = site.change(way, (DISABLED, ENABLED)[turn % 2], at)
        # If the scheduler starves the database for seconds, changes are refused. They must not be half done.
        refused += not done.acknowledged
        waits[way].append(done.seconds)
        # Call the other server, which was not told.
        told = call(site.servers[1 - at].api, site.key)
        site.judge(told.began, told.ended, told.refusal)
        time.sleep(0.05)
        turn += 1
    rates = [float(re.search(r"Requests/sec:\s*([\d.]+)", load.communicate()[0])[1]) for load in loads]
    outcome.saw(f"{sum(rates):.0f} calls/s, {refused} of {turn} changes told to come back")
    outcome.saw("changes p50/p99/max ms: " + ", ".join(f"{way} {_three(one)}" for way, one in waits.items() if one))
    site.recover(10)
    site.settle()


def _wrk(site: Site, at: int, seconds: int) -> subprocess.Popen:
    server = site.servers[at]
    made = request(server.api, site.key, WHO_AM_I, b"{}")
    script = site.directory / f"wrk-{at}.lua"
    headers = "".join(
        f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}\n"
        for name, value in made.headers
        if name.lower() != "host"
    )
    script.write_text(f'wrk.method = "POST"\nwrk.body = "{{}}"\n{headers}')
    program = ["wrk", "--threads", "1", "--connections", str(CONNECTIONS // 2), "--duration", f"{seconds}s"]
    load = subprocess.Popen(
        [*program, "--script", str(script), f"http://{server.api}/"], stdout=subprocess.PIPE, text=True
    )
    site.stage.keep_process(load)
    return load


def _ms(values: list[float], share: float) -> str:
    return f"{machine.percentile(values, share) * 1000:.0f}"


def _three(values: list[float]) -> str:
    return "/".join(_ms(values, share) for share in (0.5, 0.99, 1.0))


FAULTS = (
    Fault("flood", flood, short=("sqlite", "postgres")),
    Fault("saturation", saturation),
)
