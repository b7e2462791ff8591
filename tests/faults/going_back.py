"""The database goes back to an earlier state: a replica without the tail, a dump, a removed or replaced file."""

import shutil
import time

import calls
import machine
from forwarder import Forwarder
from installation import API, COMMAND, PAGE, Done, Site
from outcome import Outcome
from postgres import Cluster, address
from stage import POSTGRES, SQLITE, Fault, Stage
from truth import DISABLED, ENABLED

# Counted from the first change that is requested after the database has gone back.
BOUND = 15
DATABASE = "latchkey"


def _change_three_times(site: Site) -> None:
    for _ in range(3):
        for state in (DISABLED, ENABLED):
            if not site.change(PAGE, state).acknowledged:
                raise RuntimeError("the key cannot be changed before the fault")
    for at in range(len(site.servers)):
        site.call(at)


def _disabled_is_refused(site: Site, way: str, at: int, database: str | None = None) -> None:
    """Requests a Disable until it is acknowledged. After that, no server must accept a call."""
    outcome = site.stage.outcome
    asked = machine.wait_for(lambda: site.change(way, DISABLED, at, database).acknowledged, BOUND, every=0.2)
    if not outcome.must(asked is not None, f"no Disable by {way} is acknowledged after the database went back"):
        return
    until = time.monotonic() + site.stage.pick(0.5, 1.5)
    while time.monotonic() < until:
        for each in range(len(site.servers)):
            site.call(each)


def _go_on(site: Site, straight: str | None) -> None:
    """Makes changes without the servers, then through each of them. In the end, everything must work as before."""
    site.ledger.begin_again(site.records(straight))
    # The state that the servers know was true in a history that is gone.
    site.timeline.changing()
    _disabled_is_refused(site, COMMAND, 0, straight)
    site.recover(BOUND)
    for way in (PAGE, API):
        for at in range(len(site.servers)):
            if machine.wait_for(lambda at=at: site.change(API, ENABLED, at).acknowledged, BOUND, every=0.2) is None:
                site.stage.outcome.must(False, "no Enable is acknowledged after the database went back")
                return
            _disabled_is_refused(site, way, at)
    site.settle()


def _before_the_tail(stage: Stage) -> tuple[Site, Cluster, Cluster, Forwarder]:
    """Two servers behind a forwarder, and a replica that lacks the latest changes: three Disables and three Enables."""
    primary = stage.cluster("primary")
    primary.create_database(DATABASE)
    replica = stage.cluster("replica", copied_from=primary)
    forwarder = stage.forwarder(primary.port)
    site = Site(stage, servers=2, database=address(forwarder.port, DATABASE))
    replica.catch_up(primary)
    replica.leave_behind()
    _change_three_times(site)
    return site, primary, replica, forwarder


def behind(stage: Stage, _: Outcome) -> None:
    """The promoted replica lacks the tail."""
    site, primary, replica, forwarder = _before_the_tail(stage)
    primary.stop()
    replica.promote()
    forwarder.lead_to(replica.port)
    _go_on(site, replica.url(DATABASE))


def _risen(stage: Stage, past: bool) -> None:
    """Others change keys in the promoted replica before these servers see it."""
    site, primary, replica, forwarder = _before_the_tail(stage)
    primary.stop()
    replica.promote()
    straight = replica.url(DATABASE)
    site.ledger.begin_again(site.records(straight))
    # Six changes are gone. These are five, and the last one is a Disable.
    for state in (DISABLED, ENABLED, DISABLED, ENABLED, DISABLED):
        _must_be_done(site.change(COMMAND, state, database=straight))
    manager = site.manager.secret_id
    _must_be_done(site.ask_for(COMMAND, manager, DISABLED, database=straight))
    if past:
        _must_be_done(site.ask_for(COMMAND, manager, ENABLED, database=straight))
        _must_be_done(site.ask_for(COMMAND, manager, DISABLED, database=straight))
    forwarder.lead_to(replica.port)
    for _ in range(20):
        for at in range(len(site.servers)):
            site.call(at)
        time.sleep(0.05)
    _must_be_done(site.ask_for(COMMAND, manager, ENABLED, database=straight))
    _must_be_done(site.change(COMMAND, ENABLED, database=straight))
    _go_on(site, straight)


def risen_to(stage: Stage, _: Outcome) -> None:
    """The new history has as many changes as the one that is gone."""
    _risen(stage, past=False)


def risen_past(stage: Stage, _: Outcome) -> None:
    """The new history has more changes than the one that is gone."""
    _risen(stage, past=True)


def dump(stage: Stage, _: Outcome) -> None:
    """An older dump is restored over the database while the servers run."""
    cluster, database = stage.shared.cluster, stage.database()
    site = Site(stage, servers=2, database=cluster.url(database))
    older = cluster.dump(database)
    _change_three_times(site)
    cluster.restore(database, older)
    _go_on(site, site.database)


def _must_be_done(done: Done) -> None:
    if not done.acknowledged:
        raise RuntimeError(f"the database that was put back takes no changes: {done.words}")


# --- SQLite -----------------------------------------------------------------------------------------------------------


def _check_refused(site: Site, files: set[str]) -> None:
    """Nothing is accepted, changed or created until somebody puts the file back and restarts the server."""
    outcome = site.stage.outcome
    unready = machine.wait_for(lambda: calls.get_status(site.server.api, "/readyz") == 503, BOUND)
    if outcome.must(unready is not None, "/readyz does not say 503"):
        outcome.saw(f"/readyz 503 after {unready:.1f} s")
    for way in (PAGE, API):
        done = site.change(way, DISABLED)
        outcome.must(not done.acknowledged, f"a change by {way} is acknowledged though the file is gone")
    told = site.call()
    outcome.must(not told.accepted, "a signed call is accepted though the file is gone")
    outcome.must(set(_files(site)) <= files, f"files were made: {sorted(set(_files(site)) - files)}")
    site.check_alive()


def _files(site: Site) -> list[str]:
    return [file.name for file in site.data.iterdir()]


def _take_away(site: Site) -> None:
    for file in site.data.glob("latchkey.db*"):
        file.unlink()


def file_removed(stage: Stage, outcome: Outcome) -> None:
    site = Site(stage)
    _change_three_times(site)
    _take_away(site)
    _check_refused(site, {"master.key"})
    for arguments in (("key", "list"), ("key", "disable", site.key.secret_id), ("audit", "verify")):
        done = site.command(*arguments)
        outcome.must(done.returncode != 0, f"{' '.join(arguments[:2])} does not refuse")
    outcome.must(set(_files(site)) <= {"master.key"}, f"files were made: {_files(site)}")


def file_replaced(stage: Stage, outcome: Outcome) -> None:
    """The file is replaced by an older copy, as by an operator who thinks that this is the way to restore it."""
    site = Site(stage)
    older = stage.directory / "older.db"
    backup = site.command("backup", str(older))
    outcome.must(backup.returncode == 0, f"backup: {backup.stderr.strip()}")
    _change_three_times(site)
    # The key is disabled before the file goes. In the older file, it is enabled.
    site.change(PAGE, DISABLED)
    _take_away(site)
    shutil.copyfile(older, site.data / "latchkey.db")
    _check_refused(site, {"master.key", "latchkey.db", "latchkey.db-wal", "latchkey.db-shm"})


FAULTS = (
    Fault("database-back", behind, (POSTGRES,), short=(POSTGRES,)),
    Fault("database-back-risen-to", risen_to, (POSTGRES,)),
    Fault("database-back-risen-past", risen_past, (POSTGRES,)),
    Fault("dump-restored", dump, (POSTGRES,)),
    Fault("file-removed", file_removed, (SQLITE,), short=(SQLITE,)),
    Fault("file-replaced", file_replaced, (SQLITE,)),
)
