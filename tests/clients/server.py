"""The real binary, running in a separate directory."""

import json
import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30
STOP_SECONDS = 15
FREE_PORT = "127.0.0.1:0"


def binary() -> Path:
    return Path(os.environ.get("LATCHKEY_BIN") or ROOT / "target/debug/latchkey").resolve()


@dataclass(frozen=True)
class Account:
    name: str
    password: str
    uin: str
    totp_uri: str


class Server:
    """A running server. By default, its ports are free ones, and its data directory is inside `directory`."""

    def __init__(
        self,
        directory: Path,
        *settings: str,
        data: Path | None = None,
        console: str = FREE_PORT,
        api: str = FREE_PORT,
        environment: Mapping[str, str] | None = None,
        stderr: int | None = None,
    ):
        self.directory = directory
        self.data = data or directory / "data"
        # The secrets of all keys on this server, to search the log for.
        self.secrets: list[str] = []
        self.stdout = directory / "stdout"
        self.log = directory / "log"
        # The user's own settings must not reach the server under test.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LATCHKEY_")}
        self.environment = inherited | (environment or {})
        command = self._command("serve", "--console", console, "--api", api, *settings)
        # Append, because a restarted server continues its log.
        with self.stdout.open("wb") as stdout, self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log if stderr is None else stderr,
            )
        try:
            self.console, self.api = self._addresses()
        except BaseException:
            self.process.kill()
            raise

    def _command(self, *arguments: str) -> list[str]:
        return [str(binary()), *arguments, "--data-dir", str(self.data)]

    def _addresses(self) -> tuple[str, str]:
        """Returns HOST:PORT of the console and of the API, from the lines printed once both are bound."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            printed = dict(re.findall(r"^(console|api) http://(\S+)\n", self.stdout.read_text(), re.MULTILINE))
            if len(printed) == 2:
                # Listeners are named by address, and the console is printed by its name.
                return printed["console"].replace("localhost", "127.0.0.1"), printed["api"]
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError(f"the server did not start; it said: {self.log.read_text()}")

    def create_account(self, name: str, password: str) -> Account:
        """Creates a complete account on the command line, while the server runs."""
        made = subprocess.run(
            self._command("account", "create", name, "--password-stdin", "--json"),
            cwd=self.directory,
            env=self.environment,
            input=password + "\n",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert made.returncode == 0, made.stderr
        told = json.loads(made.stdout)
        return Account(name, password, told["uin"], told["totp_uri"])

    def check_log(self) -> None:
        lines = self.log.read_text().splitlines()
        faults = [line for line in lines if '"level":"ERROR"' in line]
        assert not faults, "the server has logged faults that no client noticed"
        assert lines and self.secrets, "nothing was logged, or no key was made"
        told = [line for line in lines if any(secret in line for secret in self.secrets)]
        assert not told, "a SecretKey is in the log"

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
