"""A server is killed at random points in a mixed stream of changes; a server is paused and continues."""

import signal
import threading
import time

import calls
import machine
from calls import call
from installation import API, PAGE, Site
from outcome import Outcome
from stage import Fault, Stage
from truth import CREATED, DELETED, DISABLED, ENABLED

BOUND = 10


class Stream:
    """A stream of changes to the account's second key: create, disable, enable, delete, and again.

    A change without a response may or may not have been made. After each kill, the key must be in one of the two
    states.
    """

    def __init__(self, site: Site):
        self.site = site
        self.random = site.stage.random
        # None if there is no second key.
        self.secret_id: str | None = site.key.secret_id
        self.may_be = {ENABLED}
        # True if a key was created, but its SecretId is not known yet.
        self.promised = False

    def run(self) -> None:
        """Makes changes until one gets no response."""
        while self._step():
            pass

    def _step(self) -> bool:
        way = self.random.choice((PAGE, API))
        if self.secret_id is None:
            return self._create(way)
        (state,) = self.may_be
        wanted = DISABLED if state == ENABLED else self.random.choice((ENABLED, DELETED))
        done = self.site.ask_for(way, self.secret_id, wanted)
        if not done.acknowledged:
            self.may_be = {state, wanted}
            # It must have got no response at all. Until the server is killed, it must not refuse anything.
            self.site.stage.outcome.must(done.cut_off, f"a change by {way} to {wanted} was refused: {done.words}")
            return False
        if wanted == DELETED:
            self.secret_id = None
        else:
            self.may_be = {wanted}
        return True

    def _create(self, way: str) -> bool:
        if way == API:
            told = call(self.site.server.api, self.site.manager, ("CreateAccessKey", calls.CAM))
            created = told.accepted
        else:
            created = self.site.owner.create().is_done
        if not created:
            return False
        # Only one of the two ways returns the SecretId, and the next request may come too late.
        self.promised = True
        seen = call(self.site.server.api, self.site.manager, ("ListAccessKeys", calls.CAM))
        if not seen.accepted:
            return False
        self._adopt({key["AccessKeyId"]: ENABLED for key in seen.response["AccessKeys"]})
        return True

    def end(self) -> None:
        """Deletes the second key, to make room for another one."""
        if self.secret_id is None:
            return
        # Disabling a disabled key is not an error, and nothing is recorded.
        for state in (DISABLED, DELETED) if self.may_be == {ENABLED} else (DELETED,):
            self.site.ask_for(API, self.secret_id, state)

    def _adopt(self, there: dict[str, str]) -> None:
        """Adopts the key that was created last, among the existing ones."""
        there.pop(self.site.manager.secret_id, None)
        must = self.site.stage.outcome.must
        if not there:
            must(not self.promised, "a key that was created is not there")
            return
        self.secret_id, state = there.popitem()
        must(not there and state == ENABLED, "there are keys that nobody has asked for")
        if self.promised:
            self.site.ledger.acknowledged(CREATED, self.secret_id)
        self.promised, self.may_be = False, {ENABLED}

    def reconcile(self) -> None:
        """Compares the expected state with the actual one after a restart."""
        there = self.site.states()
        must = self.site.stage.outcome.must
        must(there.get(self.site.manager.secret_id) == ENABLED, "the key that manages is not there")
        if self.secret_id is None:
            self._adopt(there)
            return
        state = there.get(self.secret_id, DELETED)
        must(state in self.may_be, f"a key is {state}, not {' or '.join(sorted(self.may_be))}")
        self.may_be = {state}
        if state == DELETED:
            self.secret_id = None


def kill(stage: Stage, outcome: Outcome) -> None:
    site = Site(stage)
    stream = Stream(site)
    slowest = 0.0
    rounds = int(stage.pick(5, 25))
    for _ in range(rounds):
        killer = threading.Timer(stage.random.uniform(0.02, 0.5), site.kill)
        killer.start()
        stream.run()
        killer.join()
        began = time.monotonic()
        site.start_again()
        if machine.wait_for(site.is_ready, BOUND) is None:
            outcome.must(False, f"not ready within {BOUND} s of a start")
            return
        slowest = max(slowest, time.monotonic() - began)
        stream.reconcile()
    outcome.recovered(slowest, BOUND)
    outcome.saw(f"killed {rounds} times")
    stream.end()
    # The key that calls were compared with has taken part in the stream.
    site.measure_by(site.create())
    site.recover(BOUND)
    site.settle()


def stopped(stage: Stage, outcome: Outcome) -> None:
    """One of two servers is paused while the key is disabled through the other. It must not continue with old state."""
    site = Site(stage, servers=2)
    waited = 0.0
    for _ in range(int(stage.pick(2, 6))):
        for at in range(2):
            site.call(at)
        machine.send_signal([site.servers[1].process.pid], signal.SIGSTOP)
        done = site.change(API, DISABLED, 0)
        outcome.must(done.acknowledged, f"a change is not acknowledged while another server stands still: {done.words}")
        # Calls that arrive after the Disable, while the server is paused.
        threads = [threading.Thread(target=site.call, args=(1,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        machine.send_signal([site.servers[1].process.pid], signal.SIGCONT)
        for thread in threads:
            thread.join()
        took = machine.wait_for(lambda: site.call(1).decided, BOUND)
        outcome.must(took is not None, "the server does not answer after it has gone on")
        waited = max(waited, took or 0.0)
        site.change(API, ENABLED, 0)
    outcome.recovered(waited, BOUND)
    site.recover(BOUND)
    site.settle()


FAULTS = (
    Fault("kill", kill, short=("sqlite", "postgres")),
    Fault("server-stopped", stopped, short=("postgres",)),
)
