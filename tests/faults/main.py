"""Injects faults with real processes and prints the outcomes. Run by scripts/faults, which installs what it needs."""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The modules for the server, the console's owner and signing are those of the other tests.
sys.path[1:1] = [str(HERE.parent / "clients"), str(HERE.parent / "guards")]

import clock  # noqa: E402
import crowd  # noqa: E402
import database_away  # noqa: E402
import disk  # noqa: E402
import flood  # noqa: E402
import going_back  # noqa: E402
import kills  # noqa: E402
import memory  # noqa: E402
import race  # noqa: E402
import restarts  # noqa: E402
import stderr  # noqa: E402
from outcome import Outcome, Skipped, as_markdown, as_text, closing_line  # noqa: E402
from stage import POSTGRES, SQLITE, Fault, Shared, Stage  # noqa: E402

FAULTS: tuple[Fault, ...] = (
    *going_back.FAULTS,
    *flood.FAULTS,
    *stderr.FAULTS,
    *disk.FAULTS,
    *database_away.FAULTS,
    *kills.FAULTS,
    *restarts.FAULTS,
    *race.FAULTS,
    *clock.FAULTS,
    *crowd.FAULTS,
    *memory.FAULTS,
)


def main() -> int:
    given = _arguments()
    if given.list:
        for fault in FAULTS:
            print(f"{fault.name:<26} {' '.join(fault.engines)}{', also in the short form' if fault.short else ''}")
        return 0
    # All connections are local.
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)
    # SIGTERM also ends the processes that were started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    chosen = _chosen(given)
    print(f"seed {given.seed}", file=sys.stderr)
    outcomes: list[Outcome] = []
    with ExitStack() as ends:
        # The database's user must be able to enter the directory.
        directory = Path(tempfile.mkdtemp(prefix="latchkey-faults.", dir="/tmp"))
        ends.callback(shutil.rmtree, directory, ignore_errors=True)
        directory.chmod(0o755)
        shared = Shared(directory, ends)
        for fault, engine in chosen:
            outcomes.append(_play(fault, engine, given, shared))
    print(as_markdown(outcomes) if given.markdown else as_text(outcomes))
    print(closing_line(outcomes))
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="only the faults whose names begin with NAME")
    parser.add_argument("--engine", choices=(SQLITE, POSTGRES), help="only on this engine")
    parser.add_argument("--short", action="store_true", help="the short form, which takes some ninety seconds")
    parser.add_argument("--soak", metavar="MINUTES", type=float, help="only load, for this time on each engine")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/faults.md")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="repeat the run with this seed")
    parser.add_argument("--keep", metavar="DIRECTORY", type=Path, help="copy the servers' logs of failed faults there")
    parser.add_argument("--list", action="store_true", help="print the faults' names")
    return parser.parse_args()


def _chosen(given: argparse.Namespace) -> list[tuple[Fault, str]]:
    faults = (memory.soak(given.soak),) if given.soak else FAULTS
    chosen = [
        (fault, engine)
        for fault in faults
        if fault.name.startswith(given.only or "")
        for engine in (fault.short if given.short and not given.only else fault.engines)
        if engine == (given.engine or engine)
    ]
    if not chosen:
        sys.exit("scripts/faults: there is no such fault; --list names them")
    return chosen


def _play(fault: Fault, engine: str, given: argparse.Namespace, shared: Shared) -> Outcome:
    outcome = Outcome(fault.name, engine)
    directory = shared.directory / f"{fault.name}-{engine}"
    directory.mkdir()
    began = time.monotonic()
    try:
        with ExitStack() as ends:
            stage = Stage(outcome, engine, given.short, given.seed, directory, shared, ends)
            fault.play(stage, outcome)
    except Skipped as skipped:
        outcome.skipped = str(skipped)
    except Exception as error:  # One failure does not stop the others.
        traceback.print_exc(limit=3, chain=False)
        outcome.failures.append(f"{type(error).__name__}: {error}".replace("\n", " ")[:300])
    if given.keep and not outcome.passed:
        _keep_logs(directory, given.keep / directory.name)
    shutil.rmtree(directory, ignore_errors=True)
    verdict = "skipped" if outcome.skipped else "passed" if outcome.passed else "FAILED"
    print(f"{fault.name} {engine}: {verdict}, in {time.monotonic() - began:.1f} s", file=sys.stderr)
    return outcome


def _keep_logs(directory: Path, to: Path) -> None:
    for log in directory.rglob("log"):
        kept = to / log.relative_to(directory)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, kept)


if __name__ == "__main__":
    sys.exit(main())
