"""The snippets on the page of a key, run verbatim."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clients import HERE, Way
from console import KEYS, Console, Key
from server import binary

# The command that runs each snippet, by client and the snippet's ID.
RUN_BY = {
    "tccli": {"tccli": ["sh", "-c"], "curl": ["sh", "-c"]},
    "python": {"python": [sys.executable, "-c"]},
    "node": {"node": ["node", "--input-type=module", "-e"]},
}

pytestmark = pytest.mark.ways(lambda way: str(way) in ("tccli-v3-POST", "python-v3-POST", "node-v3-POST"))


def test_snippets_need_nothing_but_the_secret(way: Way, owner: Console, key: Key, tmp_path: Path) -> None:
    page = owner.get(f"{KEYS}/keys/{key.secret_id}")
    assert key.secret_key not in str(page)
    path = os.pathsep.join([str(Path(sys.executable).parent), str(Path(binary()).parent), os.environ["PATH"]])
    environment = {"PATH": path, "HOME": str(tmp_path), "LANG": "C.UTF-8", "PYTHONWARNINGS": "ignore"}
    environment["TENCENTCLOUD_SECRET_KEY"] = key.secret_key
    for name, command in RUN_BY[way.client].items():
        snippet = page.find("pre", id=name).get_text()
        done = subprocess.run(
            [*command, snippet],
            cwd=HERE / "node",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )
        assert done.returncode == 0, (name, done.stderr)
        assert str(owner.account.uin) in done.stdout, (name, done.stdout, done.stderr)
