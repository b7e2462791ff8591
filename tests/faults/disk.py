"""The database's disk becomes full, and then has space again."""

import machine
from installation import API, COMMAND, PAGE, Site
from machine import SmallDisk
from outcome import Outcome
from postgres import hand_over
from stage import POSTGRES, SQLITE, Fault, Stage
from truth import DISABLED, ENABLED

BOUND = 10
# The time within which a change that cannot be written is refused.
REFUSED_SECONDS = 5
# By then, the free space in pages and in the log is used up.
TRIES = 400


def sqlite(stage: Stage, outcome: Outcome) -> None:
    disk = SmallDisk(stage.directory / "disk", "8m")
    stage.keep(disk)
    site = Site(stage, data=disk.directory / "data")
    _play(site, disk, outcome)


def postgres(stage: Stage, outcome: Outcome) -> None:
    """The database's tablespace is full. The write-ahead log has space, without which PostgreSQL would shut down."""
    disk = SmallDisk(stage.directory / "disk", "24m")
    stage.keep(disk)
    space = disk.directory / "space"
    space.mkdir()
    hand_over(space)
    cluster = stage.shared.cluster
    name = f"small_{stage.random.randrange(10**9)}"
    cluster.run(f"create tablespace {name} location '{space}'")
    stage.ends.callback(lambda: cluster.run(f"drop tablespace {name}"))
    database = stage.database(f"tablespace {name}")
    site = Site(stage, database=cluster.url(database))
    _play(site, disk, outcome)


def _play(site: Site, disk: SmallDisk, outcome: Outcome) -> None:
    site.recover(BOUND)
    disk.fill()
    refused = 0
    longest = 0.0
    for turn in range(TRIES):
        way = (API, PAGE, COMMAND)[turn % 3] if refused else API
        done = site.change(way, ENABLED if site.timeline.state == DISABLED else DISABLED)
        longest = max(longest, done.seconds)
        told = site.call()
        outcome.must(told.decided, f"a signed call with a known key is not answered: {told.refusal}")
        if not done.acknowledged:
            refused += 1
            # It is unknown whether a refused change was made. If it was, the page no longer has its button.
            if done.page and done.page.status != 404:
                outcome.must(done.page.is_later, f"the page does not say that it may go better later: {done.words}")
            outcome.must(bool(done.words), "a refusal has no words")
        if refused == 6:
            break
    outcome.must(refused > 0, "the disk is not full")
    outcome.must(longest <= REFUSED_SECONDS, f"a change was refused after {longest:.1f} s only")
    outcome.saw(f"{refused} changes refused, the slowest within {longest:.1f} s")
    if site.stage.engine == SQLITE:
        # On PostgreSQL, data that fits into an existing page can still be written.
        unready = machine.wait_for(lambda: not site.is_ready(), BOUND)
        outcome.must(unready is not None, "/readyz says 200 while nothing can be written")
    disk.make_room()
    site.recover(BOUND)
    site.settle()


FAULTS = (
    Fault("disk-full", sqlite, (SQLITE,), short=(SQLITE,)),
    Fault("disk-full", postgres, (POSTGRES,)),
)
