"""Memory under sustained load: it is allocated at first, and then does not grow."""

import time

import machine
from flood import Load
from installation import API, Site
from outcome import Outcome
from stage import POSTGRES, Fault, Stage
from truth import DISABLED, ENABLED

# The growth allowed for the server, and for all PostgreSQL processes, from the end of the second third to the end.
SERVER_MIB = 12.0
BACKENDS_MIB = 16.0
# Below the five minutes for which signatures are valid.
AT_A_TIME = 60


class Watch:
    """Periodically reads the memory of server and database under load."""

    def __init__(self, site: Site):
        self._site = site
        self.read: list[tuple[float, float, float]] = []

    def look(self) -> None:
        server = machine.resident_mib(self._site.server.process.pid)
        on_postgres = self._site.stage.engine == POSTGRES
        backends = self._site.stage.shared.cluster.backends_mib() if on_postgres else 0.0
        self.read.append((time.monotonic(), server, backends))

    def last_third(self) -> tuple[float, float]:
        """Returns the growth of both from the second third to the last, by their peaks, because memory fluctuates."""
        began, ended = self.read[0][0], self.read[-1][0]
        border = began + (ended - began) * 2 / 3
        middle = [one for one in self.read if began + (ended - began) / 3 <= one[0] <= border]
        last = [one for one in self.read if one[0] > border]
        return tuple(max(one[which] for one in last) - max(one[which] for one in middle) for which in (1, 2))


def under_load(stage: Stage, outcome: Outcome) -> None:
    _soak(stage, outcome, stage.pick(8, 30), tell=False)


def soak(minutes: float) -> Fault:
    """Runs for any number of minutes, and prints the memory each minute."""

    def play(stage: Stage, outcome: Outcome) -> None:
        _soak(stage, outcome, minutes * 60, tell=True)

    return Fault("soak", play)


def _soak(stage: Stage, outcome: Outcome, seconds: float, tell: bool) -> None:
    site = Site(stage)
    # The initial allocation under load is not growth.
    Load(site, 3).wait()
    watch = Watch(site)
    until = time.monotonic() + seconds
    calls = 0
    while (left := until - time.monotonic()) > 0:
        calls += _under(Load(site, min(left, AT_A_TIME)), site, watch)
        # Keep the owner's session in use, because it is needed at the end.
        site.owner.look()
        _, server, backends = watch.read[-1]
        if tell:
            print(f"{stage.engine}: server {server:.1f} MiB, PostgreSQL {backends:.1f} MiB", flush=True)
    server, backends = watch.last_third()
    outcome.must(server <= SERVER_MIB, f"the server grows by {server:.1f} MiB in the last third")
    outcome.must(backends <= BACKENDS_MIB, f"PostgreSQL grows by {backends:.1f} MiB in the last third")
    _, first, first_backends = watch.read[0]
    _, last, last_backends = watch.read[-1]
    outcome.saw(f"{calls} calls; server {first:.1f} to {last:.1f} MiB, {server:+.1f} in the last third")
    if stage.engine == POSTGRES:
        outcome.saw(f"PostgreSQL {first_backends:.1f} to {last_backends:.1f} MiB, {backends:+.1f}")
    site.recover(10)
    site.settle()


def _under(load: Load, site: Site, watch: Watch) -> int:
    """Changes the key periodically during the load, and returns the number of calls."""
    while load.process.poll() is None:
        watch.look()
        for state in (DISABLED, ENABLED):
            site.change(API, state)
        time.sleep(0.5)
    calls = load.wait()
    for call in calls:
        site.judge(*call)
    return len(calls)


FAULTS = (Fault("memory", under_load),)
