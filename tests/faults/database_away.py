"""The database is frozen, stopped or slow, or another program holds its lock."""

import sqlite3

import machine
from calls import call
from installation import API, COMMAND, PAGE, Site
from outcome import Outcome
from postgres import address
from stage import POSTGRES, SQLITE, Fault, Stage
from truth import DISABLED, ENABLED

BOUND = 15
# Everybody is told within two seconds. The slack is for a busy machine.
SLACK = 0.7
TOLD_SECONDS = 2 + SLACK
LATE = 0.2


def away(stage: Stage, outcome: Outcome) -> None:
    cluster = stage.cluster("cluster")
    cluster.create_database("latchkey")
    site = Site(stage, servers=2, database=cluster.url("latchkey"))
    cluster.freeze()
    _told(site, outcome, "stands still")
    cluster.thaw()
    site.recover(BOUND)
    cluster.stop()
    _told(site, outcome, "is gone")
    cluster.start()
    site.recover(BOUND)
    site.settle()


def _told(site: Site, outcome: Outcome, how: str) -> None:
    slowest = 0.0
    for _ in range(int(site.stage.pick(1, 2))):
        page = site.owner.look()
        outcome.must(page.is_later, f"while the database {how}, a page answers {page.status} without Retry-After")
        called = site.call()
        outcome.must(not called.accepted, f"while the database {how}, a signed call is accepted")
        slowest = max(slowest, page.seconds, called.seconds)
        outcome.must(page.seconds <= TOLD_SECONDS, f"while the database {how}, a page takes {page.seconds:.1f} s")
        outcome.must(called.seconds <= TOLD_SECONDS, f"while the database {how}, a call takes {called.seconds:.1f} s")
        outcome.must(not site.is_ready(), f"while the database {how}, /readyz says 200")
    outcome.saw(f"{how}: told within {slowest:.1f} s")


def late(stage: Stage, outcome: Outcome) -> None:
    """Each response of the database is 0.4 s late. Changes are made on the command line, without the delay."""
    database = stage.database()
    cluster = stage.shared.cluster
    forwarder = stage.forwarder(cluster.port)
    site = Site(stage, servers=2, database=address(forwarder.port, database))
    straight = cluster.url(database)
    for at in range(2):
        site.call(at)
    forwarder.delay = LATE
    slowest = 0.0
    undecided = 0
    for state in (DISABLED, ENABLED) * int(stage.pick(2, 4)):
        done = site.change(COMMAND, state, database=straight)
        outcome.must(done.acknowledged, f"a change was not acknowledged: {done.words}")
        for at in range(2):
            told = site.call(at)
            slowest = max(slowest, told.seconds)
            undecided += not told.decided
    outcome.must(undecided == 0, f"{undecided} calls after a change were not decided")
    outcome.saw(f"calls after a change within {slowest:.1f} s")
    forwarder.delay = 0.0
    site.recover(BOUND)
    site.settle()


def write_lock(stage: Stage, outcome: Outcome) -> None:
    """Another program holds SQLite's write lock."""
    site = Site(stage)
    site.call()
    other = sqlite3.connect(site.data / "latchkey.db", isolation_level=None)
    stage.ends.callback(other.close)
    other.execute("begin immediate")
    slowest = 0.0
    for way in (PAGE, API):
        done = site.change(way, DISABLED)
        slowest = max(slowest, done.seconds)
        outcome.must(not done.acknowledged, f"a change by {way} is acknowledged while another holds the lock")
        outcome.must(done.seconds <= TOLD_SECONDS, f"a change by {way} takes {done.seconds:.1f} s to be refused")
        if done.page:
            outcome.must(done.page.is_later, f"a page answers {done.page.status} without Retry-After")
        told = call(site.server.api, site.key)
        outcome.must(told.accepted, f"a call is not answered while another holds the lock: {told.refusal}")
    outcome.saw(f"changes refused within {slowest:.1f} s")
    other.execute("rollback")
    site.recover(BOUND)
    other.execute("begin immediate")
    site.change(API, DISABLED)
    server = site.server
    server.process.terminate()
    ended = machine.wait_for(lambda: server.process.poll() is not None, 15)
    if outcome.must(ended is not None, "the server does not stop while another holds the lock"):
        outcome.must(server.process.returncode == 0, f"the server stops with status {server.process.returncode}")
        outcome.saw(f"stopped within {ended:.1f} s meanwhile")
    other.execute("rollback")
    site.start_again()
    site.recover(BOUND)
    site.settle()


FAULTS = (
    Fault("database-away", away, (POSTGRES,), short=(POSTGRES,)),
    Fault("database-late", late, (POSTGRES,)),
    Fault("write-lock", write_lock, (SQLITE,), short=(SQLITE,)),
)
