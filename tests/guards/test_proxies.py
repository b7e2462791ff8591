"""Proxies whose server does not confirm any request: nobody gets through."""

import pytest

import proxies
from backend import BackEnd
from conftest import WAYS, Door, Site, running

NAMES = [way for way in WAYS if way in proxies.ALL]
# As documented in docs/guard.md.
WHILE_DOWN = {"nginx": 500, "traefik": 500, "caddy": 502, "envoy": 403}


@pytest.mark.parametrize("name", NAMES)
def test_a_proxy_that_is_not_trusted(
    name: str, plain: Site, back_end: BackEnd, tmp_path_factory: pytest.TempPathFactory
) -> None:
    proxy = proxies.Proxy(name, tmp_path_factory.mktemp(name), plain.server.api, back_end.address)
    try:
        door = Door(name, proxy.address, plain, back_end)
        for method in ("GET", "POST"):
            door.ask(door.signed(method, "/orders")).check_refused()
    finally:
        proxy.stop()


@pytest.mark.parametrize("name", NAMES)
def test_a_server_that_does_not_answer(name: str, back_end: BackEnd, tmp_path_factory: pytest.TempPathFactory) -> None:
    with running(tmp_path_factory.mktemp("stopped"), "--trusted-proxy", "127.0.0.0/8") as site:
        proxy = proxies.Proxy(name, tmp_path_factory.mktemp(name), site.server.api, back_end.address)
        try:
            door = Door(name, proxy.address, site, back_end)
            door.ask(door.signed("GET", "/orders")).served()
            site.server.stop()
            door.ask(door.signed("GET", "/orders")).check_refused(WHILE_DOWN[name])
        finally:
            proxy.stop()
