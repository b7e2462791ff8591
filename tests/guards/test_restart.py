"""Two servers behind nginx, restarted in turn under load: no request fails."""

import http.client
import random
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import proxies
from server import Server
from wire import SECONDS

ROUNDS = 6
CLIENTS = 16
# As documented in docs/operate/reverse-proxy.md.
CONFIGURATION = """
daemon off;
master_process off;
pid {directory}/pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    {own_places}
    upstream latchkey {{
        server {first} max_fails=0;
        server {second} max_fails=0;
        keepalive 16;
    }}
    server {{
        listen {address};
        location / {{
            proxy_pass http://latchkey;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
}}
"""


def lasting_port() -> int:
    """Returns a port outside the ephemeral range, so that no outgoing connection takes it during a restart."""
    while True:
        with socket.socket() as tried:
            port = random.randrange(20000, 30000)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


@contextmanager
def nginx(directory: Path, first: str, second: str) -> Iterator[str]:
    address = f"127.0.0.1:{lasting_port()}"
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own_places = "".join(f"{kind}_temp_path {directory}/{kind};" for kind in kinds)
    file = directory / "nginx.conf"
    file.write_text(CONFIGURATION.format(**locals()))
    command = [proxies.program("nginx"), "-p", str(directory), "-e", "stderr", "-c", str(file)]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + proxies.START_SECONDS
        while status(address, "GET") is None:
            assert time.monotonic() < deadline and process.poll() is None, (directory / "log").read_text()
            time.sleep(0.02)
        yield address
    finally:
        process.terminate()
        process.wait(proxies.STOP_SECONDS)


def status(address: str, method: str) -> int | None:
    """Requests the status on a new connection. None if the connection fails."""
    connection = http.client.HTTPConnection(address, timeout=SECONDS)
    try:
        connection.request(method, "/", body=b"{}" if method == "POST" else None)
        return connection.getresponse().status
    except ConnectionError:
        return None
    finally:
        connection.close()


class Load:
    """Clients that send requests back to back."""

    def __init__(self, address: str):
        self.statuses: Counter[tuple[str, int | None]] = Counter()
        self._address = address
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _ask(self) -> None:
        own: Counter[tuple[str, int | None]] = Counter()
        while not self._over.is_set():
            for method in ("POST", "GET"):
                own[method, status(self._address, method)] += 1
        self.statuses.update(own)

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def test_a_rolling_restart_costs_no_answer(tmp_path_factory: pytest.TempPathFactory) -> None:
    directories = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
    proxied = ("--trusted-proxy", "127.0.0.1")
    servers = [Server(directory, *proxied, api=f"127.0.0.1:{lasting_port()}") for directory in directories]
    try:
        with nginx(tmp_path_factory.mktemp("nginx"), *(server.api for server in servers)) as address:
            load = Load(address)
            try:
                for _ in range(ROUNDS):
                    for n, directory in enumerate(directories):
                        api = servers[n].api
                        assert servers[n].stop() == 0
                        servers[n] = Server(directory, *proxied, api=api)
            finally:
                load.stop()
    finally:
        for server in servers:
            server.stop()
    assert set(load.statuses) == {("POST", 200), ("GET", 200)}, load.statuses
    assert min(load.statuses.values()) > 2 * ROUNDS, "there was load while they restarted"
