"""An installation: a database, its servers, an account whose owner is signed in, and its two keys.

One key manages the other. The other is changed, and calls are compared with its state.

Every change goes through this module, so that the acknowledged changes and the expected outcomes of calls are known.
"""

import json
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import calls
import machine
from calls import Told, call
from console import Key
from owner import Answered, Owner
from postgres import free_port
from server import Server
from stage import SQLITE, Stage
from truth import CREATED, DELETED, DISABLED, ENABLED, EVENTS, Ledger, Timeline

PAGE, API, COMMAND = "page", "api", "command"
STATUS = {ENABLED: "Active", DISABLED: "Inactive"}
OPERATION = {ENABLED: "enable", DISABLED: "disable", DELETED: "delete"}
TAKING_EFFECT = "Taking effect"
# A change that takes longer was not clearly refused.
CHANGE_SECONDS = 30


@dataclass(frozen=True)
class Done:
    """The outcome of a change."""

    acknowledged: bool
    seconds: float
    words: str
    page: Answered | None = None
    # There was no response at all.
    cut_off: bool = False


class Site:
    """An installation. Its servers share the database, and the directory with the master key.

    Commands reach the database at `database`, and servers as well, unless each has its own address in `databases`.
    """

    def __init__(
        self,
        stage: Stage,
        *settings: str,
        servers: int = 1,
        data: Path | None = None,
        database: str | None = None,
        databases: Sequence[str] = (),
        environment: dict[str, str] | None = None,
        stderr: int | None = None,
        name: str = "site",
    ):
        self.stage = stage
        self.ledger = Ledger()
        # The number of seconds by which the servers' clock is ahead. Calls are signed with that time.
        self.ahead = 0
        self.directory = stage.directory / name
        self.directory.mkdir()
        self.data = data or self.directory / "data"
        self._stderr = stderr
        if database is None and stage.engine != SQLITE:
            database = stage.shared.cluster.url(stage.database())
        self.database = database
        self._databases = databases
        self._leases = "LATCHKEY_LEASE" in (environment or {})
        # As a variable, so that commands have it as well.
        self._environment = (environment or {}) | ({"LATCHKEY_DATABASE": database} if database else {})
        self._settings = ("--api-rate-limits", "false", *settings)
        # A restarted server needs the same address, so its port is below the ephemeral range.
        self._addresses = [(f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}") for _ in range(servers)]
        self.servers: list[Server] = []
        stage.ends.callback(self._end)
        for at in range(servers):
            (self.directory / str(at)).mkdir()
            self.servers.append(self._serve(at))
        account = self.servers[0].create_account(f"owner-{secrets.token_hex(4)}", secrets.token_urlsafe(18))
        self.owners = [Owner(server, account) for server in self.servers]
        self.owner.sign_in()
        for other in self.owners[1:]:
            # A session is valid on all servers.
            other.share(self.owner)
        self.manager = self.owner.create_key()
        self.measure_by(self.create())

    @property
    def server(self) -> Server:
        return self.servers[0]

    @property
    def owner(self) -> Owner:
        return self.owners[0]

    # --- Processes ----------------------------------------------------------------------------------------------------

    def _serve(self, at: int) -> Server:
        console, api = self._addresses[at]
        return Server(
            self.directory / str(at),
            # A server's own address may be part of a setting.
            *(setting.replace("{api}", api) for setting in self._settings),
            data=self.data,
            console=console,
            api=api,
            environment=self._environment | ({"LATCHKEY_DATABASE": self._databases[at]} if self._databases else {}),
            stderr=self._stderr,
        )

    def start_again(self, at: int = 0) -> None:
        """Restarts a server at the same address. Owners keep their sessions."""
        self.stage.end_server(self.servers[at])
        self.servers[at] = self._serve(at)

    def kill(self, at: int = 0) -> None:
        machine.send_signal([self.servers[at].process.pid], signal.SIGKILL)

    def _end(self) -> None:
        for server in self.servers:
            self.stage.end_server(server)

    def command(self, *arguments: str, database: str | None = None) -> subprocess.CompletedProcess[str]:
        address = database or self.database
        return subprocess.run(
            self.server._command(*arguments),
            check=False,
            cwd=self.directory,
            env=self.server.environment | ({"LATCHKEY_DATABASE": address} if address else {}),
            capture_output=True,
            text=True,
            timeout=CHANGE_SECONDS,
        )

    def listening(self, listener: str, at: int = 0) -> str:
        """Returns HOST:PORT of a server's listener with a free port."""
        (found,) = re.findall(rf"^{listener} http://(\S+)\n", self.servers[at].stdout.read_text(), re.MULTILINE)
        return found

    def logged(self, words: str) -> bool:
        return any(words in server.log.read_text(errors="replace") for server in self.servers)

    def check_alive(self) -> None:
        """Checks that no server has ended or panicked."""
        must = self.stage.outcome.must
        must(all(server.process.poll() is None for server in self.servers), "a server has ended by itself")
        must(not self.logged("panicked"), "a handler panicked")

    # --- Changes ------------------------------------------------------------------------------------------------------

    def create(self) -> Key:
        """Creates another key with the one that manages."""
        told = call(self.server.api, self.manager, ("CreateAccessKey", calls.CAM))
        if not told.accepted:
            raise RuntimeError(f"no key can be created: {told.refusal}")
        made = told.response["AccessKey"]
        self.ledger.acknowledged(CREATED, made["AccessKeyId"])
        return Key(made["AccessKeyId"], made["SecretAccessKey"])

    def measure_by(self, key: Key) -> None:
        """Makes `key`, which must be enabled, the key whose state calls are compared with."""
        self.key, self.timeline = key, Timeline(ENABLED)

    def ask_for(self, way: str, secret_id: str, state: str, at: int = 0, database: str | None = None) -> Done:
        """Requests a change of any key, which must be in another state. Only an acknowledgement is recorded."""
        done = self._ask_for(way, secret_id, state, at, database)
        if done.acknowledged:
            self.ledger.acknowledged(EVENTS[state], secret_id)
        return done

    def _ask_for(self, way: str, secret_id: str, state: str, at: int, database: str | None) -> Done:
        if way == PAGE:
            return self._by_page(secret_id, state, at)
        if way == API:
            return self._by_api(secret_id, state, at)
        return self._by_command(secret_id, state, database)

    def change(self, way: str, state: str, at: int = 0, database: str | None = None) -> Done:
        """Changes the key whose state calls are compared with."""
        before = self.timeline.state
        self.timeline.changing()
        done = self._ask_for(way, self.key.secret_id, state, at, database)
        if done.acknowledged:
            self.timeline.changed(state)
            # A change that changes nothing is acknowledged, too, but not recorded.
            if before not in (None, state):
                self.ledger.acknowledged(EVENTS[state], self.key.secret_id)
        return done

    def _by_page(self, secret_id: str, state: str, at: int) -> Done:
        """With leases, the page answers before the change holds everywhere, and says so until it does."""
        began = time.monotonic()
        owner = self.owners[at]
        page = owner.change(secret_id, OPERATION[state])
        holds = page.is_done
        while holds and self._leases and (seen := owner.look()).text and TAKING_EFFECT in seen.text:
            holds = time.monotonic() - began < CHANGE_SECONDS
            time.sleep(0.02)
        holds = holds and (not self._leases or seen.status in (200, 203))
        seconds = time.monotonic() - began if self._leases else page.seconds
        return Done(holds, seconds, f"status {page.status}", page, page.status is None)

    def _by_api(self, secret_id: str, state: str, at: int) -> Done:
        if state == DELETED:
            action, parameters = "DeleteAccessKey", {}
        else:
            action, parameters = "UpdateAccessKey", {"Status": STATUS[state]}
        action = (action, calls.CAM)
        api = self.servers[at].api
        told = call(api, self.manager, action, late_by=-self.ahead, AccessKeyId=secret_id, **parameters)
        return Done(told.accepted, told.seconds, told.refusal or "", cut_off=told.refusal == calls.NO_ANSWER)

    def _by_command(self, secret_id: str, state: str, database: str | None) -> Done:
        began = time.monotonic()
        try:
            done = self.command("key", OPERATION[state], secret_id, database=database)
        except subprocess.TimeoutExpired:
            return Done(False, time.monotonic() - began, "no end")
        words = done.stderr.strip().splitlines()
        return Done(done.returncode == 0, time.monotonic() - began, words[-1] if words else "")

    # --- Checks -------------------------------------------------------------------------------------------------------

    def call(self, at: int = 0, **more: object) -> Told:
        """Makes a call with the key whose state is known, and counts a stale outcome."""
        told = call(self.servers[at].api, self.key, late_by=-self.ahead, **more)
        self.judge(told.began, told.ended, told.refusal)
        return told

    def judge(self, began: float, ended: float, refusal: str | None) -> None:
        if refusal in (None, calls.UNKNOWN_KEY) and self.timeline.contradicts(began, ended, refusal is None):
            self.stage.outcome.stale += 1

    def is_ready(self, at: int = 0) -> bool:
        return calls.get_status(self.servers[at].api, "/readyz") == 200

    def works(self) -> bool:
        """Returns whether every server is ready, accepts changes through API and page, and reflects them."""
        return all(self._works(at) for at in range(len(self.servers)))

    def _works(self, at: int) -> bool:
        if not self.is_ready(at):
            return False
        # The API comes first: unlike the page, it accepts a change to the state that the key already has.
        for way in (API, PAGE):
            state = ENABLED if self.timeline.state == DISABLED else DISABLED
            if not self.change(way, state, at).acknowledged or self.call(at).accepted != (state == ENABLED):
                return False
        return True

    def recover(self, bound: float) -> None:
        """Waits until everything works again, without a restart."""
        self.stage.outcome.recovered(machine.wait_for(self.works, bound, every=0.1), bound)
        self.check_alive()

    def records(self, database: str | None = None) -> list[dict]:
        exported = self.command("audit", "export", database=database)
        if exported.returncode != 0:
            raise RuntimeError(f"audit export: {exported.stderr.strip()}")
        return [json.loads(line) for line in exported.stdout.splitlines()]

    def settle(self) -> None:
        """Counts the acknowledged changes and those that are recorded, and verifies the audit log."""
        outcome = self.stage.outcome
        acknowledged, lost = self.ledger.compare(self.records())
        outcome.acknowledged += acknowledged
        outcome.found += acknowledged - len(lost)
        if lost:
            outcome.saw(f"lost: {', '.join(lost)}")
        verified = self.command("audit", "verify")
        outcome.must(verified.returncode == 0, f"audit verify: {verified.stderr.strip()}")
        state = self.timeline.state
        if state and self.servers:
            outcome.must(self.states().get(self.key.secret_id) == state, f"the key is not {state}, as was acknowledged")

    def states(self) -> dict[str, str]:
        """Returns the states of all keys that are not deleted."""
        listed = self.command("key", "list", "--json")
        if listed.returncode != 0:
            raise RuntimeError(f"key list: {listed.stderr.strip()}")
        return {key["secret_id"]: key["state"] for key in json.loads(listed.stdout)}
