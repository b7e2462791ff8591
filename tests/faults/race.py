"""Three servers with leases answer calls at every entry point, while a key is changed all the time and one thing after
another comes to harm: a server, its network, the database. No answer may be stale. Run by scripts/race.
"""

import argparse
import json
import os
import random
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The modules for the server, the console's owner and signing are those of the other tests.
sys.path[1:1] = [str(HERE.parent / "clients"), str(HERE.parent / "guards")]

import machine  # noqa: E402
from calls import FAULT, WHO_AM_I, request  # noqa: E402
from flood import Load, Target  # noqa: E402
from installation import API, COMMAND, PAGE, Site  # noqa: E402
from outcome import Outcome  # noqa: E402
from postgres import Cluster  # noqa: E402
from signing import Request, sha256, signed  # noqa: E402
from stage import POSTGRES, Fault, Shared, Stage  # noqa: E402
from truth import DISABLED, ENABLED  # noqa: E402

SERVERS = 3
DATABASE = "latchkey"
# How long a round lasts. Its calls are signed at its beginning.
ROUND_SECONDS = 20
RECOVERY_SECONDS = 30


@dataclass
class Figures:
    """What was seen in the rounds of one kind."""

    rounds: int = 0
    calls: int = 0
    faults: int = 0
    unacknowledged: int = 0
    seconds: list[float] = field(default_factory=list)

    def row(self, name: str, stale: int) -> str:
        if self.seconds:
            times = "/".join(f"{machine.percentile(self.seconds, share) * 1000:.0f}" for share in (0.5, 0.99, 1.0))
        else:
            times = ""
        cells = (
            name,
            self.rounds,
            self.calls,
            self.faults,
            stale,
            len(self.seconds),
            self.unacknowledged,
            times,
        )
        return "| " + " | ".join(str(cell) for cell in cells) + " |"


HEAD = """| harm | rounds | calls | not answered | stale | changes | not acknowledged | acknowledged in p50/p99/max ms |
|---|---|---|---|---|---|---|---|"""


class Race:
    def __init__(self, stage: Stage, lease: float, seconds: float = ROUND_SECONDS):
        self.stage, self.lease, self.seconds = stage, lease, seconds
        self.random = stage.random
        self.primary = stage.cluster("primary")
        self.primary.create_database(DATABASE)
        self.clusters = 1
        self.replica = self._new_replica()
        self.forwarders = [stage.forwarder(self.primary.port) for _ in range(SERVERS)]
        tokens = stage.directory / "tokens"
        self.token = secrets.token_urlsafe(24)
        tokens.write_text(self.token)
        self.site = Site(
            stage,
            "--verify-token-file",
            str(tokens),
            "--guard",
            "127.0.0.1:0",
            # An address that answers without a check of its own.
            "--guard-upstream",
            "http://{api}",
            servers=SERVERS,
            database=self.primary.url(DATABASE),
            databases=[f"postgres://latchkey@127.0.0.1:{forwarder.port}/{DATABASE}" for forwarder in self.forwarders],
            environment={"LATCHKEY_LEASE": f"{lease * 1000:.0f}ms"},
        )
        # Held during a change, and by harm that would lose one.
        self.turn = threading.Lock()
        self.dead: set[int] = set()
        self.figures: dict[str, Figures] = defaultdict(Figures)
        self.stale: dict[str, int] = defaultdict(int)

    def _new_replica(self) -> Cluster:
        self.clusters += 1
        return self.stage.cluster(f"replica-{self.clusters}", copied_from=self.primary)

    # --- Calls --------------------------------------------------------------------------------------------------------

    def _targets(self) -> list[Target]:
        """A call for every entry point of every server."""
        site, found = self.site, []
        for at, server in enumerate(site.servers):
            guard = site.listening("guard", at)
            found.append((server.api, request(server.api, site.key, WHO_AM_I, b"{}")))
            found.append((server.api, signed(site.key, target="/forward-auth", host=server.api)))
            found.append((server.api, self._question(server.api)))
            found.append((guard, signed(site.key, target="/healthz", host=guard)))
        return found

    def _question(self, address: str) -> Request:
        asked = signed(self.site.key, host="shop.example")
        question = {"method": "GET", "uri": "/", "headers": dict(asked.headers), "body_sha256": sha256(b"")}
        headers = (("Host", address), ("Content-Type", "application/json"), ("Authorization", f"Bearer {self.token}"))
        return Request("POST", "/v1/verify", headers, json.dumps(question).encode())

    # --- Rounds -------------------------------------------------------------------------------------------------------

    def play(self, name: str, harm: Callable[[], None]) -> None:
        """Makes calls and changes for a while, in the middle of which something comes to harm."""
        site, figures, stale = self.site, self.figures[name], self.stage.outcome.stale
        began = time.monotonic()
        load = Load(site, self.seconds, self._targets())
        failures: list[BaseException] = []
        thread = threading.Thread(target=self._harm, args=(harm, failures))
        thread.start()
        while time.monotonic() < began + self.seconds - 1 or thread.is_alive():
            with self.turn:
                self._change(figures)
            time.sleep(self.random.uniform(0, 0.1))
        thread.join()
        calls = load.wait()
        for failure in failures:
            raise failure
        for call in calls:
            site.judge(*call)
        figures.rounds += 1
        figures.calls += len(calls)
        figures.faults += sum(refusal == FAULT for _, _, refusal in calls)
        self.stale[name] += self.stage.outcome.stale - stale
        site.recover(RECOVERY_SECONDS)

    def _harm(self, harm: Callable[[], None], failures: list[BaseException]) -> None:
        time.sleep(self.random.uniform(0.1, 0.3) * self.seconds)
        try:
            harm()
        except BaseException as failure:
            failures.append(failure)

    def _change(self, figures: Figures) -> None:
        site = self.site
        state = ENABLED if site.timeline.state == DISABLED else DISABLED
        way = self.random.choice((PAGE, API, COMMAND))
        at = self.random.choice([at for at in range(SERVERS) if at not in self.dead])
        done = site.change(way, state, at, database=self.primary.url(DATABASE))
        if done.acknowledged:
            figures.seconds.append(done.seconds)
        else:
            figures.unacknowledged += 1

    # --- Harm ---------------------------------------------------------------------------------------------------------

    def nothing(self) -> None:
        """All is well."""

    def _some_server(self) -> int:
        return self.random.randrange(SERVERS)

    def killed(self) -> None:
        at = self._some_server()
        # A change through it would have no outcome, and that is not what is measured.
        with self.turn:
            self.dead.add(at)
            self.site.kill(at)
        time.sleep(self.random.uniform(0.5, 3) * self.lease)
        with self.turn:
            self.site.start_again(at)
            self.dead.discard(at)

    def _paused(self, seconds: float) -> None:
        at = self._some_server()
        with self.turn:
            self.dead.add(at)
        pid = [self.site.servers[at].process.pid]
        machine.send_signal(pid, signal.SIGSTOP)
        time.sleep(seconds)
        machine.send_signal(pid, signal.SIGCONT)
        self.dead.discard(at)

    def paused_shortly(self) -> None:
        for _ in range(4):
            self._paused(self.random.uniform(0.1, 0.9) * self.lease)

    def paused_long(self) -> None:
        self._paused(self.random.uniform(1.5, 4) * self.lease)

    def cut_off(self) -> None:
        at = self._some_server()
        with self.turn:
            self.dead.add(at)
        self.forwarders[at].lead_nowhere()
        time.sleep(self.random.uniform(0.5, 3) * self.lease)
        self.forwarders[at].lead_to(self.primary.port)
        self.dead.discard(at)

    def slow(self) -> None:
        forwarder = self.forwarders[self._some_server()]
        forwarder.delay = self.random.uniform(0.01, 0.15)
        time.sleep(3 * self.lease)
        forwarder.delay = 0.0

    def failed_over(self) -> None:
        with self.turn:
            self.replica.catch_up(self.primary)
            self._fail_over()

    def failed_over_without_the_tail(self) -> None:
        self.replica.leave_behind()
        time.sleep(self.random.uniform(0.5, 2))
        with self.turn:
            # The latest changes are about to be gone.
            self.site.timeline.changing()
            self._fail_over()
            self.site.ledger.begin_again(self.site.records(self.primary.url(DATABASE)))

    def _fail_over(self) -> None:
        self.primary.stop()
        self.replica.promote()
        self.primary = self.replica
        self.site.database = self.primary.url(DATABASE)
        for forwarder in self.forwarders:
            forwarder.lead_to(self.primary.port)
        self.replica = self._new_replica()

    def table(self) -> str:
        rows = [figures.row(name, self.stale[name]) for name, figures in self.figures.items()]
        return "\n".join([HEAD, *rows])


HARM = {
    "all well": Race.nothing,
    "a server is killed": Race.killed,
    "a server is paused for less than a lease": Race.paused_shortly,
    "a server is paused for longer than a lease": Race.paused_long,
    "a server is cut off from the database": Race.cut_off,
    "a server's network is slow": Race.slow,
    "failover": Race.failed_over,
    "failover without the latest changes": Race.failed_over_without_the_tail,
}


def short(stage: Stage, outcome: Outcome) -> None:
    """The harm that has the most to do with leases."""
    race = Race(stage, lease=1, seconds=5)
    for harm in (Race.paused_long, Race.failed_over_without_the_tail):
        race.play("", lambda harm=harm: harm(race))
    outcome.saw(f"{race.figures[''].calls} calls")
    race.site.settle()


FAULTS = (Fault("leases", short, (POSTGRES,), short=(POSTGRES,)),)


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/race", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long at least")
    parser.add_argument("--calls", type=float, default=0, help="how many calls at least")
    parser.add_argument("--lease", type=float, default=2, help="the lease, in seconds")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="repeat the run with this seed")
    given = parser.parse_args()
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"seed {given.seed}", file=sys.stderr)
    outcome = Outcome("race", POSTGRES)
    with ExitStack() as ends:
        directory = Path(tempfile.mkdtemp(prefix="latchkey-race.", dir="/tmp"))
        ends.callback(shutil.rmtree, directory, ignore_errors=True)
        directory.chmod(0o755)
        stage = Stage(outcome, POSTGRES, False, given.seed, directory, Shared(directory, ends), ends)
        race = Race(stage, given.lease)
        try:
            _run(race, given)
        except Exception as error:
            traceback.print_exc()
            outcome.failures.append(f"{type(error).__name__}: {error}")
        race.site.settle()
    print(race.table())
    calls = sum(figures.calls for figures in race.figures.values())
    verdict = "passed" if outcome.passed else f"FAILED: {'; '.join(outcome.failures)}"
    print(f"{calls} calls, {outcome.stale} stale; {outcome.acknowledged} changes, {outcome.lost} lost: {verdict}")
    return 0 if outcome.passed else 1


def _run(race: Race, given: argparse.Namespace) -> None:
    until = time.monotonic() + given.minutes * 60
    while True:
        for name, harm in HARM.items():
            race.play(name, lambda harm=harm: harm(race))
            calls = sum(figures.calls for figures in race.figures.values())
            print(f"{name}: {calls} calls so far, {race.stage.outcome.stale} stale", file=sys.stderr)
            if time.monotonic() > until and calls >= given.calls:
                return


if __name__ == "__main__":
    sys.exit(main())
