"""How every refusal is looked at: its code, and its words in each language."""

import pytest

import expect
from clients import Client, Refused
from console import Key
from expect import CHINESE, ENGLISH


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
    """The code. The message says what it is about: a parameter's name, say."""
    codes = set()
    # Version 1 is known to be deaf to its parameter; see test_languages.py.
    for language in (ENGLISH, CHINESE) if client.way.is_v3 and not in_english_only else (ENGLISH,):
        with pytest.raises(Refused) as raised:
            client.call(key, service, action, params, language=language, **more)
        error = raised.value
        assert error.code in expect.MESSAGES, error
        assert expect.UUID.fullmatch(error.request_id), error
        expect.message(error.code, error.message, language)
        assert about in error.message
        codes.add(error.code)
    (code,) = codes
    return code
