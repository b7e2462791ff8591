"""The owner in the console during a fault: returns the actual responses instead of asserting the expected ones."""

import time
from dataclasses import dataclass

import requests
from bs4 import BeautifulSoup

from console import KEYS, Console


@dataclass(frozen=True)
class Answered:
    """A response, or the lack of one."""

    status: int | None
    seconds: float
    retry_after: str | None = None
    location: str = ""
    text: str = ""

    @property
    def is_later(self) -> bool:
        """Returns whether the response asks the client to try again later."""
        return self.status == 503 and self.retry_after is not None

    @property
    def is_done(self) -> bool:
        """Returns whether the form was accepted. A redirect to the sign-in page does not count."""
        return self.status == 303 and not self.location.startswith("/login")


class Owner(Console):
    """An owner whose steps return their outcomes."""

    def share(self, other: "Owner") -> None:
        """Uses the session of another owner object."""
        self._cookies = other._cookies

    def look(self, path: str = KEYS) -> Answered:
        return self._try("GET", path)

    def change(self, secret_id: str, operation: str) -> Answered:
        """Presses a button of the page. Returns the first response that fails, that of the page or of the button."""
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
        """Signs in with this code in a new browser, and returns whether that succeeds."""
        # The console asks for a code only if nobody is signed in.
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
    """Returns the preset fields of the page's form for `action`, or None if it has no such form."""
    form = BeautifulSoup(page, "html.parser").find("form", method="post", action=action)
    return form and {field["name"]: field.get("value", "") for field in form.find_all("input", attrs={"name": True})}
