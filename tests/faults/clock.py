"""The server's clock is set forward by an hour and back again while the server runs."""

import time
from pathlib import Path

import pyotp

from calls import call
from console import STEP_SECONDS
from installation import API, Site
from outcome import Outcome, Skipped
from stage import Fault, Stage
from truth import DISABLED, ENABLED

HOUR = 3600
EXPIRED = "AuthFailure.SignatureExpire"


class Clock:
    """A server's wall clock. Its monotonic clock is not affected."""

    def __init__(self, file: Path):
        libraries = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        if not libraries:
            raise Skipped("faketime is not installed")
        self._file = file
        self.ahead = 0
        self.set(0)
        self.environment = {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead: int) -> None:
        self._file.write_text(f"{ahead:+d}\n")
        self.ahead = ahead


class Owner:
    """An owner whose authenticator has the same time as the server."""

    def __init__(self, site: Site, clock: Clock):
        self._site = site
        self._clock = clock
        self._totp = pyotp.parse_uri(site.owner.account.totp_uri)

    def code(self) -> str:
        # Avoid a code whose step ends while it is on its way.
        left = STEP_SECONDS - time.time() % STEP_SECONDS
        if left < 3:
            time.sleep(left + 0.1)
        return self._totp.generate_otp(int(time.time() + self._clock.ahead) // STEP_SECONDS)

    def signs_in(self, code: str) -> bool:
        return self._site.owner.try_code(code)


def play(stage: Stage, outcome: Outcome) -> None:
    clock = Clock(stage.directory / "clock")
    site = Site(stage, environment=clock.environment)
    owner = Owner(site, clock)
    _keys_hold(site, outcome, "before")
    _set(site, clock, HOUR)
    _keys_hold(site, outcome, "an hour forward")
    outcome.must(site.owner.look().status == 303, "a session that was idle for an hour goes on")
    spent = owner.code()
    outcome.must(owner.signs_in(spent), "an hour forward, nobody can sign in")
    outcome.must(not owner.signs_in(spent), "a code works twice")
    site.change(API, DISABLED)
    _set(site, clock, 0)
    outcome.must(not site.call().accepted, "a key that is disabled is accepted after the clock is set back")
    site.change(API, ENABLED)
    outcome.must(not owner.signs_in(spent), "a code that was spent works after the clock is set back")
    page = site.owner.look()
    outcome.must(page.status in (200, 203, 303), f"after the clock is set back, a page answers {page.status}")
    _keys_hold(site, outcome, "an hour back again")
    _set(site, clock, HOUR)
    outcome.must(not owner.signs_in(spent), "a code that was spent works after the clock is set back and forward")
    _set(site, clock, -HOUR)
    _keys_hold(site, outcome, "an hour behind")
    outcome.must(site.is_ready(), "/readyz does not say 200")
    site.check_alive()
    site.settle()


def _set(site: Site, clock: Clock, ahead: int) -> None:
    """Sets the clock, and checks that the server accepts signatures with the new time and none with the old."""
    before = site.ahead
    clock.set(ahead)
    must = site.stage.outcome.must
    old = call(site.server.api, site.manager, late_by=-before)
    must(old.refusal == EXPIRED, f"with the clock at {ahead:+d} s, what was signed at {before:+d} s: {old.refusal}")
    site.ahead = ahead
    new = call(site.server.api, site.manager, late_by=-ahead)
    must(new.accepted, f"with the clock at {ahead:+d} s, what is signed then: {new.refusal}")


def _keys_hold(site: Site, outcome: Outcome, when: str) -> None:
    for state in (DISABLED, ENABLED):
        done = site.change(API, state)
        outcome.must(done.acknowledged, f"{when}, a change is refused: {done.words}")
        told = site.call()
        outcome.must(told.decided, f"{when}, a call is not decided: {told.refusal}")


FAULTS = (Fault("clock", play, short=("sqlite",)),)
