"""The check of every refusal: its code, and its message in each language that all clients can request."""

import pytest

import expect
from clients import Client, Refused
from console import Key
from expect import CHINESE, ENGLISH

# Each call of tccli is a process, so each code is checked in both languages only once.
_told_by_tccli: set[str] = set()


def refusal(
    client: Client,
    key: Key,
    service: str,
    action: str,
    params: dict | None = None,
    *,
    about: str = "",
    in_english_only: bool = False,
    **more: object,
) -> str:
    """Returns the code. The message must contain `about`, such as a parameter's name."""
    is_tccli = client.way.client == "tccli"
    # The clients do not pass the language on in version 1; see test_languages.py.
    languages = (ENGLISH, CHINESE) if client.way.is_v3 and not in_english_only else (ENGLISH,)
    code = ""
    for language in languages:
        if is_tccli and code in _told_by_tccli:
            break
        with pytest.raises(Refused) as raised:
            client.call(key, service, action, params, language=language, **more)
        error = raised.value
        assert error.code in expect.MESSAGES, error
        assert expect.UUID.fullmatch(error.request_id), error
        expect.message(error.code, error.message, language)
        assert about in error.message
        assert code in ("", error.code), "another language, another code"
        code = error.code
    if is_tccli:
        _told_by_tccli.add(code)
    return code
