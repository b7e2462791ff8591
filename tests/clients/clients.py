"""The official clients behind one interface. Each signs and sends a test's call in its own way."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest import mock

from tencentcloud.cam.v20190116 import cam_client
from tencentcloud.cam.v20190116 import models as cam_models
from tencentcloud.common import abstract_client
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.sts.v20180813 import models as sts_models
from tencentcloud.sts.v20180813 import sts_client

from console import Key
from expect import ENGLISH

VERSIONS = {"cam": "2019-01-16", "sts": "2018-08-13"}
REGION = "ap-guangzhou"

V3 = "TC3-HMAC-SHA256"
V1_METHODS = ("HmacSHA1", "HmacSHA256")
HERE = Path(__file__).parent


class Refused(Exception):
    """The API's error, as the client reports it."""

    def __init__(self, code: str, message: str, request_id: str):
        super().__init__(code, message, request_id)
        self.code = code
        self.message = message
        self.request_id = request_id


@dataclass(frozen=True)
class Way:
    """A client, with the way in which it signs and sends."""

    client: str
    sign_method: str = V3
    http_method: str = "POST"
    unsigned_payload: bool = False

    def __str__(self) -> str:
        words = [self.client, "v3" if self.sign_method == V3 else self.sign_method, self.http_method]
        return "-".join(words + ["unsigned"] * self.unsigned_payload)

    @property
    def is_v3(self) -> bool:
        return self.sign_method == V3

    @property
    def is_free(self) -> bool:
        """Returns whether it sends any parameter. Other clients only send those that they know."""
        return self.client.endswith("_common")

    @property
    def sends_types(self) -> bool:
        """Returns whether types are preserved. In a query or form, all values are text, and empty lists vanish."""
        return self.is_v3 and self.http_method == "POST"


@dataclass(frozen=True)
class Asked:
    """A call and its options."""

    key: Key
    service: str
    action: str
    params: dict = field(default_factory=dict)
    # None is the service's own version.
    version: str | None = None
    # None is the client's default.
    language: str | None = ENGLISH
    token: str | None = None
    # The number of seconds by which the client's clock is ahead.
    skew_seconds: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    # Options that the SDKs have in common, under their own names.
    skip_sign: bool = False
    multipart: bool = False
    octets: str | None = None


class Client:
    """A client that is used in one way, with only an endpoint and a key pair."""

    def __init__(self, way: Way, send: Callable[[str, Way, Asked], dict], endpoint: str):
        self.way = way
        self._send = send
        self._endpoint = endpoint

    def at(self, endpoint: str) -> "Client":
        return Client(self.way, self._send, endpoint)

    def call(self, key: Key, service: str, action: str, params: dict | None = None, **more: object) -> dict:
        """Returns the response as the client presents it. Models set missing fields to null."""
        return self._send(self._endpoint, self.way, Asked(key, service, action, params or {}, **more))


# --- tccli ------------------------------------------------------------------------------------------------------------

TCCLI = Path(sys.executable).with_name("tccli")


class Tccli:
    """Runs a process for each call."""

    WAYS = (Way("tccli"),)

    def __init__(self, home: Path):
        # A separate home directory for its log and settings.
        self.home = home
        clock = home / "clock"
        clock.mkdir()
        # Python runs this file at startup.
        clock.joinpath("sitecustomize.py").write_text(
            "import os, time\n"
            "right, skew = time.time, int(os.environ['SKEW_SECONDS'])\n"
            "time.time = lambda: right() + skew\n"
        )
        self._clock = clock

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        # It gets no credentials from the caller's environment.
        environment |= {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        # Newer versions of Python would print warnings about its source to stderr, once.
        environment["PYTHONWARNINGS"] = "ignore"
        if prefix := os.environ.get("PYTHONPYCACHEPREFIX"):
            environment["PYTHONPYCACHEPREFIX"] = prefix
        return subprocess.run(
            [str(TCCLI), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
        )

    def run_with(self, key: Key, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        environment |= {"TENCENTCLOUD_SECRET_ID": key.secret_id, "TENCENTCLOUD_SECRET_KEY": key.secret_key}
        return self.run(*arguments, **environment)

    def send(self, endpoint: str, _: Way, asked: Asked) -> dict:
        arguments = [asked.service, asked.action, "--endpoint", f"http://{endpoint}"]
        if asked.language:
            arguments += ["--language", asked.language]
        for name, value in asked.params.items():
            arguments += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
        environment = {}
        if asked.token is not None:
            environment["TENCENTCLOUD_TOKEN"] = asked.token
        if asked.skew_seconds:
            environment |= {"PYTHONPATH": str(self._clock), "SKEW_SECONDS": str(asked.skew_seconds)}
        return self.answer(asked.key, *arguments, **environment)

    def answer(self, key: Key, *arguments: str, **environment: str) -> dict:
        done = self.run_with(key, *arguments, **environment)
        if done.returncode == 0:
            assert done.stderr == ""
            return json.loads(done.stdout)
        assert (done.returncode, done.stdout) == (255, ""), (done.stdout, done.stderr)
        told = re.fullmatch(r"\[TencentCloudSDKException\] code:(\S+) message:(.+) requestId:(\S+)\n", done.stderr)
        assert told, done.stderr
        raise Refused(*told.groups())


# --- Python -----------------------------------------------------------------------------------------------------------

PYTHON_PRODUCTS: dict[str, tuple[type[abstract_client.AbstractClient], ModuleType]] = {
    "cam": (cam_client.CamClient, cam_models),
    "sts": (sts_client.StsClient, sts_models),
}


class PythonSdk:
    """Both of its interfaces: a product's client with a model for each request and response, and the common client."""

    WAYS = (
        *(Way(*how) for how in product(("python", "python_common"), (V3, *V1_METHODS), ("POST", "GET"))),
        *(Way("python", V3, method, unsigned_payload=True) for method in ("POST", "GET")),
    )

    def __init__(self) -> None:
        self._clients: dict[tuple, abstract_client.AbstractClient] = {}

    def _client(self, endpoint: str, way: Way, asked: Asked) -> abstract_client.AbstractClient:
        # Keep the client and its connection, so that a disabled key is refused on an existing connection.
        known = (endpoint, way, asked.key, asked.service, asked.version, asked.language, asked.token)
        if known not in self._clients:
            http = HttpProfile("http", endpoint, way.http_method, reqTimeout=30, keepAlive=True)
            profile = ClientProfile(way.sign_method, http, **({"language": asked.language} if asked.language else {}))
            profile.unsignedPayload = way.unsigned_payload
            credential = Credential(asked.key.secret_id, asked.key.secret_key, asked.token)
            if way.client == "python":
                made = PYTHON_PRODUCTS[asked.service][0](credential, REGION, profile)
            else:
                version = asked.version or VERSIONS[asked.service]
                made = CommonClient(asked.service, version, credential, REGION, profile)
            self._clients[known] = made
        return self._clients[known]

    def send(self, endpoint: str, way: Way, asked: Asked) -> dict:
        client = self._client(endpoint, way, asked)
        try:
            if not asked.skew_seconds:
                return self._sent(client, way, asked)
            with _python_clock(asked.skew_seconds):
                return self._sent(client, way, asked)
        except TencentCloudSDKException as error:
            raise Refused(error.get_code(), error.get_message(), error.get_request_id()) from error

    def _sent(self, client: abstract_client.AbstractClient, way: Way, asked: Asked) -> dict:
        if way.client == "python":
            request = getattr(PYTHON_PRODUCTS[asked.service][1], f"{asked.action}Request")()
            request.from_json_string(json.dumps(asked.params))
            request.headers = asked.headers
            return json.loads(getattr(client, asked.action)(request).to_json_string())
        headers = dict(asked.headers)
        if asked.octets is not None:
            return client.call_octet_stream(asked.action, headers, asked.octets.encode())["Response"]
        options = {"SkipSign": asked.skip_sign, "IsMultipart": asked.multipart}
        return client.call_json(asked.action, asked.params, headers, options)["Response"]


@contextmanager
def _python_clock(skew_seconds: int) -> Iterator[None]:
    wrong = SimpleNamespace(time=lambda: time.time() + skew_seconds)
    with mock.patch.object(abstract_client, "time", wrong):
        yield


# --- Node -------------------------------------------------------------------------------------------------------------


class NodeSdk:
    """Both of its interfaces, in a process that makes one call after another."""

    WAYS = tuple(Way(*how) for how in product(("node", "node_common"), (V3, *V1_METHODS), ("POST", "GET")))

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", str(HERE / "node" / "calls.js")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
        )

    def send(self, endpoint: str, way: Way, asked: Asked) -> dict:
        common = way.client == "node_common"
        call = {
            "endpoint": endpoint,
            "signMethod": way.sign_method,
            "reqMethod": way.http_method,
            "language": asked.language,
            "headers": asked.headers,
            "credential": {
                "secretId": asked.key.secret_id,
                "secretKey": asked.key.secret_key,
                "token": asked.token,
            },
            "product": asked.service,
            "version": (asked.version or VERSIONS[asked.service]) if common else None,
            "own": not common,
            "action": asked.action,
            "params": asked.params,
            "skewSeconds": asked.skew_seconds,
            "options": {"skipSign": asked.skip_sign, "multipart": asked.multipart},
        }
        if asked.octets is not None:
            call["octets"] = asked.octets
        self._process.stdin.write(json.dumps(call) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the Node process has ended"
        outcome = json.loads(line)
        if "error" in outcome:
            error = outcome["error"]
            raise Refused(error["code"], error["message"], error["requestId"])
        return outcome["answer"]

    def stop(self) -> int:
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            return self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise


WAYS = (*Tccli.WAYS, *PythonSdk.WAYS, *NodeSdk.WAYS)
# For tests that depend on neither the client nor the way.
ANY_WAY = PythonSdk.WAYS[0]


class Clients:
    """All clients, each set up once."""

    def __init__(self, home: Path):
        self.tccli = Tccli(home)
        self.node = NodeSdk()
        python = PythonSdk()
        self._send = {
            "tccli": self.tccli.send,
            "python": python.send,
            "python_common": python.send,
            "node": self.node.send,
            "node_common": self.node.send,
        }

    def get(self, way: Way, endpoint: str) -> Client:
        return Client(way, self._send[way.client], endpoint)
