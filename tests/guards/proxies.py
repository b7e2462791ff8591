"""The proxies of docs/guard, each run with its documented configuration, in a separate directory."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from server import ROOT
from signing import Request
from wire import ask

SNIPPETS = ROOT / "docs" / "guard"
START_SECONDS = 30
STOP_SECONDS = 15
# Debian installs nginx in /usr/sbin, which is not in the PATH of ordinary users.
PATH = os.environ["PATH"] + ":/usr/sbin"


@dataclass(frozen=True)
class Addresses:
    """The HOST:PORT of each program."""

    proxy: str
    latchkey: str
    back_end: str

    @property
    def port(self) -> str:
        return self.proxy.rpartition(":")[2]


Prepare = Callable[[Path, Addresses], list[str]]


def _filled_in(name: str, places: dict[str, str]) -> str:
    """Returns a documented configuration with its addresses replaced."""
    text = (SNIPPETS / name).read_text()
    missing = [place for place in places if place not in text]
    assert not missing, f"{name} does not name {missing}"
    return re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], text)


def _nginx(directory: Path, at: Addresses) -> list[str]:
    places = {"127.0.0.1:8000": at.proxy, "127.0.0.1:8081": at.latchkey, "127.0.0.1:9000": at.back_end}
    (directory / "latchkey.conf").write_text(_filled_in("nginx.conf", places))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    own_places = "".join(f"    {kind}_temp_path {directory}/{kind};\n" for kind in kinds)
    (directory / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {directory}/pid;\nerror_log stderr;\nevents {{}}\n"
        f"http {{\n    access_log off;\n{own_places}    include {directory}/latchkey.conf;\n}}\n"
    )
    return ["-p", str(directory), "-e", "stderr", "-c", str(directory / "nginx.conf")]


def _caddy(directory: Path, at: Addresses) -> list[str]:
    places = {":8000": f":{at.port}", "127.0.0.1:8081": at.latchkey, "127.0.0.1:9000": at.back_end}
    file = directory / "Caddyfile"
    file.write_text("{\n\tadmin off\n}\n" + _filled_in("Caddyfile", places))
    return ["run", "--adapter", "caddyfile", "--config", str(file)]


def _traefik(directory: Path, at: Addresses) -> list[str]:
    # Not under its documented name, which Traefik would read as its static configuration.
    file = directory / "latchkey.yml"
    file.write_text(_filled_in("traefik.yml", {"127.0.0.1:8081": at.latchkey, "127.0.0.1:9000": at.back_end}))
    unasked = ["--global.checkNewVersion=false", "--global.sendAnonymousUsage=false"]
    return [f"--entryPoints.guarded.address={at.proxy}", f"--providers.file.filename={file}", *unasked]


def _envoy(directory: Path, at: Addresses) -> list[str]:
    places = {
        f"port_value: {own}": f"port_value: {address.rpartition(':')[2]}"
        for own, address in (("8000", at.proxy), ("8081", at.latchkey), ("9000", at.back_end))
    }
    file = directory / "envoy.yaml"
    file.write_text(_filled_in("envoy.yaml", places))
    return ["-c", str(file), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error"]


ALL: dict[str, Prepare] = {"nginx": _nginx, "caddy": _caddy, "traefik": _traefik, "envoy": _envoy}
# Debian does not package the others. They are tested if they are installed.
MANDATORY = ("nginx", "caddy")


def program(name: str) -> str | None:
    return shutil.which(name, path=PATH)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Proxy:
    """A running proxy. Its port was free a moment before; if it no longer is, another one is tried."""

    def __init__(self, name: str, directory: Path, latchkey: str, back_end: str):
        self.name = name
        self._directory = directory
        for tries_left in (4, 3, 2, 1, 0):
            at = Addresses(f"127.0.0.1:{_free_port()}", latchkey, back_end)
            self.address = at.proxy
            self._start(ALL[name](directory, at))
            if self._answers():
                return
            assert tries_left, f"{name} does not start; it said: {self._log.read_text()}"

    def _start(self, arguments: list[str]) -> None:
        executable = program(self.name)
        assert executable, f"{self.name} is not installed"
        home = {name: str(self._directory) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "TMPDIR")}
        self._log = self._directory / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [executable, *arguments],
                cwd=self._directory,
                env={"PATH": PATH} | home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _answers(self) -> bool:
        """Waits until it refuses unsigned requests. Some proxies respond with 404 until they are configured."""
        unsigned = Request("GET", "/started", (("Host", self.address),))
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                if ask(self.address, unsigned).status == 401:
                    return self._process.poll() is None
            except OSError:
                pass
            time.sleep(0.02)
        self.stop()
        return False

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise
