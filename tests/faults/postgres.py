"""Separate PostgreSQL clusters: primaries, replicas that can be promoted, processes that can be stopped and frozen."""

import os
import pwd
import signal
import socket
import subprocess
from pathlib import Path

import machine

# The data need not survive a crash of the machine, only one of the processes.
SETTINGS = """
listen_addresses = '127.0.0.1'
max_connections = 100
fsync = off
wal_level = replica
max_wal_senders = 4
hot_standby = on
shared_buffers = 16MB
logging_collector = off
"""
ROLE = "latchkey"


def _program(name: str) -> str:
    return str(Path(os.environ["LATCHKEY_POSTGRES_BIN"]) / name)


def _as_postgres(*command: str, **more: object) -> subprocess.CompletedProcess[str]:
    """Runs a command as a user other than root, as which PostgreSQL refuses to run."""
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    quiet = {"cwd": "/", "capture_output": True, "text": True, "timeout": 120}
    done = subprocess.run([*prefix, *command], check=False, **quiet, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done


def hand_over(directory: Path) -> None:
    """Gives a directory to the user that the database runs as."""
    if os.geteuid() == 0:
        postgres = pwd.getpwnam("postgres")
        os.chown(directory, postgres.pw_uid, postgres.pw_gid)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Cluster:
    """A new cluster in `directory`, which must not exist. It is not started yet."""

    def __init__(self, directory: Path, *, copied_from: "Cluster | None" = None):
        self.directory = directory
        self.data = directory / "data"
        self.port = free_port()
        directory.mkdir()
        hand_over(directory)
        if copied_from:
            self._follow(copied_from)
        else:
            arguments = ("--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8")
            _as_postgres(_program("initdb"), "--pgdata", str(self.data), "--no-sync", *arguments)
            with (self.data / "postgresql.conf").open("a") as conf:
                conf.write(SETTINGS)

    def _follow(self, primary: "Cluster") -> None:
        """Creates a replica of a running cluster."""
        source = f"host=127.0.0.1 port={primary.port} user=postgres"
        arguments = ("--wal-method", "stream", "--checkpoint", "fast", "--write-recovery-conf", "--no-sync")
        _as_postgres(_program("pg_basebackup"), "--pgdata", str(self.data), "--dbname", source, *arguments)

    def start(self) -> None:
        # The port was free a moment ago, so another one can be chosen.
        options = f"-p {self.port} -k {self.directory}"
        log = str(self.directory / "log")
        arguments = ("--silent", "--wait", "--pgdata", str(self.data), "--log", log, "--options", options)
        _as_postgres(_program("pg_ctl"), "start", *arguments)

    def stop(self) -> None:
        """Stops immediately, as in a crash. The next start recovers all committed data."""
        if (self.data / "postmaster.pid").exists():
            self.thaw()
            _as_postgres(_program("pg_ctl"), "stop", "--silent", "--mode", "immediate", "--pgdata", str(self.data))

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().splitlines()[0])

    def freeze(self) -> None:
        machine.send_signal(machine.descendants(self.pid), signal.SIGSTOP)

    def thaw(self) -> None:
        machine.send_signal(machine.descendants(self.pid), signal.SIGCONT)

    def backends_mib(self) -> float:
        """Returns the total memory of the processes that serve connections."""
        return sum(machine.resident_mib(pid) for pid in machine.descendants(self.pid)[1:])

    def run(self, sql: str, database: str = "postgres") -> str:
        arguments = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1")
        where = ("--host", "127.0.0.1", "--port", str(self.port), "--username", "postgres", "--dbname", database)
        return _as_postgres(_program("psql"), *arguments, *where, "--command", sql).stdout.strip()

    def create_database(self, name: str, *more: str) -> None:
        if self.run(f"select count(*) from pg_roles where rolname = '{ROLE}'") == "0":
            self.run(f"create role {ROLE} login")
        self.run(" ".join([f"create database {name} owner {ROLE}", *more]))

    def url(self, database: str) -> str:
        return address(self.port, database)

    # --- Going back ---------------------------------------------------------------------------------------------------

    def catch_up(self, primary: "Cluster") -> None:
        """Waits until the replica has everything that was committed on the primary."""
        end = primary.run("select pg_current_wal_lsn()")
        replayed = f"select pg_last_wal_replay_lsn() >= '{end}'::pg_lsn"
        if machine.wait_for(lambda: self.run(replayed) == "t", 30) is None:
            raise RuntimeError("the replica does not catch up")

    def leave_behind(self) -> None:
        """Stops the replication."""
        self.run("alter system set primary_conninfo = ''")
        self.run("select pg_reload_conf()")
        streaming = "select count(*) from pg_stat_wal_receiver"
        if machine.wait_for(lambda: self.run(streaming) == "0", 30) is None:
            raise RuntimeError("the replica goes on receiving")

    def promote(self) -> None:
        _as_postgres(_program("pg_ctl"), "promote", "--silent", "--wait", "--pgdata", str(self.data))

    def dump(self, database: str) -> str:
        where = ("--host", "127.0.0.1", "--port", str(self.port), "--username", "postgres")
        return _as_postgres(_program("pg_dump"), *where, "--clean", "--if-exists", database).stdout

    def restore(self, database: str, dump: str) -> None:
        """Restores over the existing data, in one transaction."""
        arguments = ("--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--single-transaction")
        where = ("--host", "127.0.0.1", "--port", str(self.port), "--username", "postgres", "--dbname", database)
        _as_postgres(_program("psql"), *arguments, *where, input=dump)


def address(port: int, database: str) -> str:
    return f"postgres://{ROLE}@127.0.0.1:{port}/{database}"
