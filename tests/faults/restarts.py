"""Servers are replaced one after another behind a proxy; backups and first starts are killed."""

import http.client
import sqlite3
import subprocess
import threading
import time
from pathlib import Path

import machine
import proxies
from calls import WHO_AM_I, call, request
from installation import API, Site
from outcome import Outcome, Skipped
from postgres import free_port
from server import FREE_PORT, STOP_SECONDS, binary
from stage import SQLITE, Fault, Stage
from truth import DISABLED, ENABLED
from wire import Connection

BOUND = 15
CLIENTS = 4

# Without max_fails=0, nginx skips a server for ten seconds after it has refused a connection, and the other one may be
# replaced in that time.
NGINX = """daemon off;
master_process off;
pid {directory}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
{own_places}
    upstream latchkey {{
{servers}
        keepalive 16;
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://latchkey;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""


class Nginx:
    """nginx in front of all servers of an installation, with persistent connections."""

    def __init__(self, site: Site):
        program = proxies.program("nginx")
        if not program:
            raise Skipped("nginx is not installed")
        directory = site.directory / "nginx"
        directory.mkdir()
        self.address = f"127.0.0.1:{free_port()}"
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = "\n".join(f"    {kind}_temp_path {directory}/{kind};" for kind in kinds)
        servers = "\n".join(f"        server {server.api} max_fails=0;" for server in site.servers)
        configuration = directory / "nginx.conf"
        configuration.write_text(
            NGINX.format(directory=directory, own_places=places, servers=servers, address=self.address)
        )
        log = (directory / "log").open("wb")
        with log:
            self.process = subprocess.Popen(
                [program, "-p", str(directory), "-e", "stderr", "-c", str(configuration)], stdout=log, stderr=log
            )
        site.stage.keep_process(self.process)


class Client(threading.Thread):
    """Makes calls one after another on a persistent connection until it is stopped."""

    def __init__(self, site: Site, address: str):
        super().__init__()
        self.enough = threading.Event()
        self.answers = 0
        self.failures: list[str] = []
        self._site = site
        self._address = address

    def run(self) -> None:
        while not self.enough.is_set():
            try:
                with Connection(self._address) as connection:
                    while not self.enough.is_set():
                        self._call(connection)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{type(error).__name__}")

    def _call(self, connection: Connection) -> None:
        answer = connection.ask(request(self._address, self._site.key, WHO_AM_I, b"{}"))
        self.answers += 1
        if answer.status != 200 or b'"Error"' in answer.body:
            self.failures.append(f"status {answer.status}")
        time.sleep(0.01)


def rolling(stage: Stage, outcome: Outcome) -> None:
    site = Site(stage, servers=2)
    nginx = Nginx(site)
    if machine.wait_for(lambda: call(nginx.address, site.key).accepted, 10) is None:
        raise RuntimeError("nginx does not start")
    clients = [Client(site, nginx.address) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    slowest = 0.0
    try:
        for _ in range(int(stage.pick(1, 4))):
            for at in range(2):
                time.sleep(0.3)
                slowest = max(slowest, _replace(site, at))
    finally:
        for client in clients:
            client.enough.set()
        for client in clients:
            client.join()
    failures = [failure for client in clients for failure in client.failures]
    answers = sum(client.answers for client in clients)
    outcome.must(not failures, f"{len(failures)} of {answers} calls through nginx failed: {sorted(set(failures))}")
    outcome.saw(f"{answers} calls through nginx, replaced within {slowest:.1f} s")
    site.recover(BOUND)
    site.settle()


def _replace(site: Site, at: int) -> float:
    began = time.monotonic()
    server = site.servers[at]
    server.process.terminate()
    if machine.wait_for(lambda: server.process.poll() is not None, STOP_SECONDS) is None:
        raise RuntimeError("a server does not stop")
    site.stage.outcome.must(server.process.returncode == 0, "a server does not stop cleanly")
    site.start_again(at)
    if machine.wait_for(lambda: site.is_ready(at), BOUND) is None:
        raise RuntimeError("a server is not ready after its start")
    return time.monotonic() - began


# --- Kills while files are written ------------------------------------------------------------------------------------


def _kill_while_it_writes(stage: Stage, process: subprocess.Popen, directory: Path, turn: int, seconds: float) -> None:
    """Kills a process, alternately as soon as there is an unfinished file in the directory and at a random time."""
    stage.keep_process(process)
    if turn % 2:
        machine.wait_for(lambda: process.poll() is not None or bool(_unfinished(directory)), 2, every=0)
    else:
        time.sleep(stage.random.uniform(0, seconds))
    process.kill()
    process.wait()


def _unfinished(directory: Path) -> list[str]:
    """Returns the unfinished files. Whatever their names, they are hidden; finished ones are not."""
    return sorted(file.name for file in directory.glob(".*"))


def backups(stage: Stage, outcome: Outcome) -> None:
    site = Site(stage)
    directory = stage.directory / "backups"
    directory.mkdir()
    file = directory / "backup.db"
    duration = _backup(site, file)
    killed = int(stage.pick(8, 20))
    for turn in range(killed):
        # An existing file is not overwritten.
        file.unlink(missing_ok=True)
        command = site.server._command("backup", str(file))
        process = subprocess.Popen(
            command, env=site.server.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _kill_while_it_writes(stage, process, directory, turn, duration)
        if file.exists():
            outcome.must(_is_whole(file), "a killed backup has left a broken file under its name")
    site.change(API, DISABLED)
    site.change(API, ENABLED)
    file.unlink(missing_ok=True)
    _backup(site, file)
    outcome.must(_is_whole(file), "a backup is broken")
    left = sorted(one.name for one in directory.iterdir() if one != file)
    outcome.must(not left, f"killed backups have left {left}")
    outcome.saw(f"killed {killed} backups")
    site.settle()


def _backup(site: Site, to: Path) -> float:
    began = time.monotonic()
    done = site.command("backup", str(to))
    if done.returncode != 0:
        raise RuntimeError(f"backup: {done.stderr.strip()}")
    return time.monotonic() - began


def _is_whole(file: Path) -> bool:
    # Immutable mode needs no other file beside the database.
    connection = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)
    try:
        return connection.execute("pragma integrity_check").fetchone() == ("ok",)
    except sqlite3.DatabaseError:
        return False
    finally:
        connection.close()


def first_starts(stage: Stage, outcome: Outcome) -> None:
    """A first start, which creates the master key, the database and its schema, is killed in the middle."""
    killed = int(stage.pick(5, 15))
    for turn in range(killed):
        # Each start begins without a master key and with an empty database.
        data = stage.directory / f"data-{turn}"
        database = None if stage.engine == SQLITE else stage.shared.cluster.url(stage.database())
        _kill_while_it_writes(stage, _started(data, database), data, turn, 0.08)
        began = time.monotonic()
        site = Site(stage, data=data, database=database, name=f"start-{turn}")
        outcome.recovered(time.monotonic() - began, BOUND)
        outcome.must(not _unfinished(data), "a killed first start has left an unfinished file")
        site.settle()
        stage.end_server(site.server)
    outcome.saw(f"killed {killed} first starts")


def _started(data: Path, database: str | None) -> subprocess.Popen:
    environment = {"LATCHKEY_DATABASE": database} if database else {}
    command = [str(binary()), "serve", "--console", FREE_PORT, "--api", FREE_PORT, "--data-dir", str(data)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


FAULTS = (
    Fault("rolling-restart", rolling, short=("postgres",)),
    Fault("backup-killed", backups, (SQLITE,)),
    Fault("first-start-killed", first_starts),
)
