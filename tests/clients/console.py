"""An account's owner in the console, as a browser without scripts."""

import re
import time
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from http.cookies import SimpleCookie

import pyotp
import requests
from bs4 import BeautifulSoup

from server import Account, Server

KEYS = "/cam/capi"
STEP_SECONDS = 30


class Codes:
    """One-time codes in strictly increasing steps, because the server accepts each step only once.

    It also accepts the previous and the next step, so starting with the previous one gives three codes without a
    wait.
    """

    def __init__(self, totp_uri: str):
        self._totp = pyotp.parse_uri(totp_uri)
        self._last = 0

    def next(self) -> str:
        # Shortly before a step ends, the previous step might be too old once the code arrives.
        before = int(time.time() + 5) // STEP_SECONDS - 1
        step = max(before, self._last + 1)
        early = (step - 1) * STEP_SECONDS - time.time()
        if early > 0:
            time.sleep(early + 0.5)
        self._last = step
        return self._totp.generate_otp(step)


@dataclass(frozen=True)
class Key:
    secret_id: str
    secret_key: str


class Console:
    """A browser session. Operations submit the forms of the pages, with their hidden fields."""

    def __init__(self, server: Server, account: Account):
        self.account = account
        self._secrets = server.secrets
        self._base = f"http://{server.console}"
        # The cookies are bound to the console's host name, which is localhost at any listen address.
        self._host = f"localhost:{server.console.rpartition(':')[2]}"
        self._codes = Codes(account.totp_uri)
        self._cookies: dict[str, str] = {}
        self._http = requests.Session()
        self._http.trust_env = False
        # Browsers send Secure cookies to http://localhost, but this library does not, so it keeps none itself.
        self._http.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def _send(self, method: str, path: str, form: dict[str, str] | None = None) -> requests.Response:
        headers = {"Host": self._host}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        if method == "POST":
            headers |= {"Origin": f"http://{self._host}", "Sec-Fetch-Site": "same-origin"}
        answer = self._http.request(
            method, self._base + path, headers=headers, data=form, allow_redirects=False, timeout=30
        )
        for line in answer.raw.headers.getlist("Set-Cookie"):
            for name, cookie in SimpleCookie(line).items():
                if cookie["max-age"] == "0":
                    self._cookies.pop(name, None)
                else:
                    self._cookies[name] = cookie.value
        return answer

    def get(self, path: str) -> BeautifulSoup:
        answer = self._send("GET", path)
        assert answer.status_code in (200, 203), (
            f"GET {path} answered {answer.status_code} {answer.headers.get('Location')}"
        )
        return BeautifulSoup(answer.text, "html.parser")

    def submit(self, page: BeautifulSoup, action: str, **typed: str) -> BeautifulSoup:
        """Submits the page's form for `action`, and follows the redirect that answers every accepted form."""
        form = page.find("form", method="post", action=action)
        assert form, f"the page {page.title and page.title.string!r} offers no {action}"
        fields = {field["name"]: field.get("value", "") for field in form.find_all("input", attrs={"name": True})}
        assert typed.keys() <= fields.keys(), f"{action} asks for {sorted(fields)}"
        answer = self._send("POST", action, fields | typed)
        assert answer.status_code == 303, f"POST {action} answered {answer.status_code}: {_words(answer.text)}"
        return self.get(answer.headers["Location"].partition("#")[0])

    def sign_in(self) -> None:
        page = self.get("/login")
        page = self.submit(page, "/login", name=self.account.name, password=self.account.password)
        page = self.submit(page, "/login/code", code=self._codes.next())
        assert page.find("form", action=f"{KEYS}/keys"), "signing in does not lead to the keys"

    def create_key(self) -> Key:
        """Creates a key, and shows its secret, which its creation does not."""
        page = self.get(KEYS)
        before = _key_ids(page)
        page = self.submit(page, f"{KEYS}/keys")
        (secret_id,) = set(_key_ids(page)) - set(before)
        assert not page.find(id="secret"), "creating a key has shown its secret"
        return Key(secret_id, self._show(page, secret_id))

    def key_ids(self) -> list[str]:
        return _key_ids(self.get(KEYS))

    def remark(self, secret_id: str) -> str:
        form = self.get(KEYS).find("form", action=f"{KEYS}/keys/{secret_id}/remark")
        return form.find("input", attrs={"name": "remark"})["value"]

    def keep_secret(self, secret_key: str) -> None:
        """Remembers a secret, so that the server's log can be searched for it."""
        self._secrets.append(secret_key)

    def show(self, secret_id: str) -> str:
        return self._show(self.get(KEYS), secret_id)

    def _show(self, page: BeautifulSoup, secret_id: str) -> str:
        action = f"{KEYS}/keys/{secret_id}/show"
        # Within the window of an earlier verification, the form asks for nothing.
        asked = page.select(f'form[action="{action}"] input[name=password]')
        typed = {"password": self.account.password, "code": self._codes.next()} if asked else {}
        page = self.submit(page, action, **typed)
        secret = page.find("code", id="secret")
        assert secret and page.find("tr", id=secret_id).find(id="secret"), "Show does not show the key's secret"
        assert not self.get(KEYS).find(id="secret"), "the secret is shown twice"
        self.keep_secret(secret.string)
        return secret.string

    def disable(self, secret_id: str) -> None:
        self._operate(secret_id, "disable")

    def enable(self, secret_id: str) -> None:
        self._operate(secret_id, "enable")

    def delete(self, secret_id: str) -> None:
        page = self._operate(secret_id, "delete")
        assert secret_id not in _key_ids(page)

    def remove_all_but(self, key: Key) -> None:
        """Deletes the account's other keys, whatever their state."""
        page = self.get(KEYS)
        for secret_id in set(_key_ids(page)) - {key.secret_id}:
            if page.find("form", action=f"{KEYS}/keys/{secret_id}/disable"):
                page = self.submit(page, f"{KEYS}/keys/{secret_id}/disable")
            page = self.submit(page, f"{KEYS}/keys/{secret_id}/delete")
        assert _key_ids(page) == [key.secret_id]

    def set_remark(self, secret_id: str, remark: str) -> None:
        self._operate(secret_id, "remark", remark=remark)

    def _operate(self, secret_id: str, operation: str, **typed: str) -> BeautifulSoup:
        return self.submit(self.get(KEYS), f"{KEYS}/keys/{secret_id}/{operation}", **typed)


def _key_ids(page: BeautifulSoup) -> list[str]:
    return [row["id"] for row in page.find_all("tr", id=re.compile("^AKID"))]


def _words(html: str) -> str:
    return " ".join(BeautifulSoup(html, "html.parser").get_text(" ").split())[:500]
