"""The settings of `rest`: what its schema and its check refuse."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.rest import SETTINGS_SCHEMA, check
from gateway.catalogue.form import Form

FORM = Form(SETTINGS_SCHEMA)
GOOD: dict[str, Any] = {"method": "POST", "path": "/p", "identifier": {"in": "body", "at": "/id"}}
ENV = {"env": "SOURCE_DOPA__KEY"}


def faults(settings: dict[str, Any], endpoint: str = "https://source.example/api") -> list[Any]:
    found: list[Any] = list(FORM.findings(settings))
    return found or list(check(endpoint, settings, {}))


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"method": "GET", "identifier": {"in": "query", "at": "PID"}},
        {"method": "GET", "identifier": {"in": "header", "at": "X-Person"}},
        {"method": "GET", "path": "/p/{identifier}", "identifier": {"in": "path"}},
        {"body": {"data": [{"query": {}}]}, "identifier": {"in": "body", "at": "/data/0/query/id", "as": "integer"}},
        {"auth": {"scheme": "api_key", "header": "X-Key", "key": ENV}},
        {"auth": {"scheme": "basic", "username": ENV, "password": {"file": "dopa/password"}}},
        {"not_found": [{"status": 404}, {"status": 200, "path": "/a/b", "equals": [None, 1]}]},
        {"tls": {"ca": {"file": "dopa/ca.pem"}}},
    ],
)
def test_allowed(more: dict[str, Any]) -> None:
    assert faults({**GOOD, **more}) == []


@pytest.mark.parametrize(
    "more",
    [
        {"methode": "POST"},
        {"method": "GET"},
        {"method": "GET", "identifier": {"in": "query", "at": "PID"}, "body": {}},
        {"method": "GET", "identifier": {"in": "query"}},
        {"identifier": {"in": "query", "at": "a&b"}},
        {"identifier": {"in": "query", "at": "PID", "as": "integer"}},
        {"identifier": {"in": "header", "at": "X: y"}},
        {"identifier": {"in": "path"}},
        {"path": "/p/{identifier}"},
        {"path": "/p/{identifier}/{identifier}", "identifier": {"in": "path"}},
        {"path": "/p?x=1"},
        {"path": "//elsewhere.example/ x"},
        {"identifier": {"in": "body", "at": "id"}},
        {"identifier": {"in": "body", "at": "/list/3/id"}, "body": {"list": []}},
        {"identifier": {"in": "body", "at": "/a/b"}, "body": {"a": "text"}},
        {"headers": {"Authorization": "Bearer x"}},
        {"headers": {"X-API-KEY": "x"}},
        {"headers": {"Cookie": "x"}},
        {"headers": {"Host": "x"}},
        {"headers": {"X-Office": "a\r\nb"}},
        {"auth": {"scheme": "api_key", "header": "X-Key", "key": "value"}},
        {"auth": {"scheme": "api_key", "header": "X-Key", "key": {"env": "HOME"}}},
        {"auth": {"scheme": "api_key", "header": "X-Key", "key": {**ENV, "file": "dopa/x"}}},
        {"auth": {"scheme": "digest"}},
        {"auth": {"scheme": "basic", "username": ENV, "password": ENV, "realm": "x"}},
        {"not_found": []},
        {"not_found": [{}]},
        {"not_found": [{"path": "/a"}]},
        {"not_found": [{"equals": [1]}]},
        {"not_found": [{"status": 302}]},
        {"not_found": [{"path": "/a", "equals": [1], "present": True}]},
        {"charset": "utf-16"},
        {"tls": {"verify": False}},
        {"tls": {"ca": "-----BEGIN CERTIFICATE-----"}},
        {"connections": 0},
        {"ok": [301]},
    ],
)
def test_refused(more: dict[str, Any]) -> None:
    assert faults({**GOOD, **more}) != []


@pytest.mark.parametrize(
    ("endpoint", "tls", "good"),
    [
        ("https://source.example", {}, True),
        ("https://source.example:8443/v1", {}, True),
        ("http://127.0.0.1:80", {}, True),
        ("http://localhost:80", {}, True),
        ("http://[::1]:80", {}, True),
        ("http://127.0.0.1.source.example", {}, False),
        ("http://localhost.source.example", {}, False),
        ("http://source.example", {}, False),
        ("http://source.example", {"plaintext": "a closed network of the ministry"}, True),
        ("http://source.example", {"plaintext": "because"}, False),
        ("https://user@source.example", {}, False),
        ("https://source.example?key=1", {}, False),
        ("https://source.example#x", {}, False),
        ("https://source.example:99999", {}, False),
        ("https://[::1", {}, False),
        ("ftp://source.example", {}, False),
        ("source.example", {}, False),
        ("https://", {}, False),
    ],
)
def test_endpoints(endpoint: str, tls: dict[str, str], good: bool) -> None:
    assert (faults({**GOOD, "tls": tls}, endpoint) == []) is good
