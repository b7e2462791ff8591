"""The owner at the console while not all goes well: what was answered, not what should have been."""

import time
from dataclasses import dataclass

import requests
from bs4 import BeautifulSoup

from console import KEYS, Console


@dataclass(frozen=True)
class Answered:
    """A page, or that there was none."""

    status: int | None
    seconds: float
    retry_after: str | None = None
    location: str = ""
    text: str = ""

    @property
    def is_later(self) -> bool:
        """Does it say that it may go better later, and when?"""
        return self.status == 503 and self.retry_after is not None

    @property
    def is_done(self) -> bool:
        """Was the form accepted? Whoever is sent to sign in first is redirected, too."""
        return self.status == 303 and not self.location.startswith("/login")


class Owner(Console):
    """Tells what became of each step."""

    def share(self, other: "Owner") -> None:
        """The session of another."""
        self._cookies = other._cookies

    def look(self, path: str = KEYS) -> Answered:
        return self._try("GET", path)

    def change(self, secret_id: str, operation: str) -> Answered:
        """Presses a button of the page. The page may fail as well as the button; the first that does is told."""
        return self.press(f"{KEYS}/keys/{secret_id}/{operation}")

    def create(self) -> Answered:
        return self.press(f"{KEYS}/keys")

    def press(self, action: str) -> Answered:
        page = self.look()
        if page.status not in (200, 203):
            return page
        fields = _fields(page.text, action)
        if fields is None:
            return Answered(404, page.seconds, text=f"the page offers no {action}")
        return self._try("POST", action, fields)

    def try_code(self, code: str) -> bool:
        """Does a sign-in with this code succeed? In a browser of its own."""
        # Asked for by whoever has signed out or has not yet signed in.
        self._cookies.clear()
        self._fill_in("/login", name=self.account.name, password=self.account.password)
        answered = self._fill_in("/login/code", code=code)
        return answered.status == 303 and self.look().status in (200, 203)

    def _fill_in(self, path: str, **typed: str) -> Answered:
        fields = _fields(self._must("GET", path).text, path)
        if fields is None:
            raise RuntimeError(f"{path} has no form of its own")
        return self._must("POST", path, fields | typed)

    def _must(self, method: str, path: str, form: dict[str, str] | None = None) -> Answered:
        answered = self._try(method, path, form)
        if answered.status is None or answered.status >= 500:
            raise RuntimeError(f"{method} {path} answered {answered.status}")
        return answered

    def _try(self, method: str, path: str, form: dict[str, str] | None = None) -> Answered:
        began = time.monotonic()
        try:
            answer = self._send(method, path, form)
        except requests.RequestException:
            return Answered(None, time.monotonic() - began)
        headers = answer.headers
        return Answered(
            answer.status_code,
            time.monotonic() - began,
            headers.get("Retry-After"),
            headers.get("Location", ""),
            answer.text,
        )


def _fields(page: str, action: str) -> dict[str, str] | None:
    """What the page's form for `action` sends if nothing is typed; None if it has no such form."""
    form = BeautifulSoup(page, "html.parser").find("form", method="post", action=action)
    return form and {field["name"]: field.get("value", "") for field in form.find_all("input", attrs={"name": True})}
