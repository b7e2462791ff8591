"""The environment of a fault: a directory, an engine, servers, and the cleanup of all of them."""

import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

import machine
from forwarder import Forwarder
from outcome import Outcome
from postgres import Cluster
from server import Server

SQLITE, POSTGRES = "sqlite", "postgres"


class Stoppable(Protocol):
    def stop(self) -> object: ...


@dataclass
class Shared:
    """Resources that all faults of a run share."""

    directory: Path
    ends: ExitStack
    _cluster: Cluster | None = None

    @property
    def cluster(self) -> Cluster:
        if self._cluster is None:
            self._cluster = Cluster(self.directory / "cluster")
            self.ends.callback(self._cluster.stop)
            self._cluster.start()
        return self._cluster


@dataclass
class Stage:
    """The environment of one fault on one engine. Its resources are cleaned up at its end."""

    outcome: Outcome
    engine: str
    short: bool
    seed: int
    directory: Path
    shared: Shared
    ends: ExitStack
    random: Random = field(init=False)

    def __post_init__(self) -> None:
        self.random = Random(f"{self.seed} {self.outcome.fault} {self.engine}")

    def pick(self, short: float, full: float) -> float:
        """Returns a number for the short or the full form."""
        return short if self.short else full

    def keep(self, thing: Stoppable) -> Stoppable:
        self.ends.callback(thing.stop)
        return thing

    # --- Databases ----------------------------------------------------------------------------------------------------

    def database(self, *more: str) -> str:
        """Creates a database in the shared cluster and returns its name."""
        name = f"{self.outcome.fault}_{self.random.randrange(10**9)}".replace("-", "_")
        self.shared.cluster.create_database(name, *more)
        # Drop it, because the shared cluster would vacuum it while other faults are measured.
        self.ends.callback(lambda: self.shared.cluster.run(f"drop database {name} with (force)"))
        return name

    def cluster(self, name: str, *, copied_from: Cluster | None = None) -> Cluster:
        """Starts a cluster for this fault only."""
        cluster = Cluster(self.directory / name, copied_from=copied_from)
        self.ends.callback(cluster.stop)
        cluster.start()
        return cluster

    def forwarder(self, port: int) -> Forwarder:
        forwarder = Forwarder(port)
        self.keep(forwarder)
        return forwarder

    # --- Servers ------------------------------------------------------------------------------------------------------

    def end_server(self, server: Server) -> None:
        """Ends a server, whatever its state."""
        if server.process.poll() is None:
            machine.send_signal([server.process.pid], signal.SIGCONT)
            server.process.kill()
        server.process.wait()

    def keep_process(self, process: subprocess.Popen) -> subprocess.Popen:
        def end() -> None:
            if process.poll() is None:
                process.kill()
            process.wait()

        self.ends.callback(end)
        return process


Play = Callable[[Stage, Outcome], None]


@dataclass(frozen=True)
class Fault:
    """A fault, with its name in the table."""

    name: str
    play: Play
    engines: tuple[str, ...] = (SQLITE, POSTGRES)
    # The engines on which it is part of the short form.
    short: tuple[str, ...] = ()
