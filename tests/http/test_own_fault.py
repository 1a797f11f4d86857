"""A fault of the gateway's own: one problem document, and a line of its log that holds nothing of the request."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI

from gateway.http.application import application
from gateway.http.drain import Drain
from gateway.http.edge import Edge
from tests.http.wire import made_up, refused


@contextlib.asynccontextmanager
async def nothing(_: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/v1/services"), ("POST", "/v1/exchanges"), ("POST", "/oauth/token")]
)
async def test_what_falls_through_is_told_in_our_form(
    method: str, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = application(cast(Edge, None), nothing, Drain(1))  # no gateway behind it: every route fails
    secret = made_up(31_415)
    transport: Any = httpx.ASGITransport(app=broken, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        response = await client.request(method, path, params={"q": secret}, content=secret)
    refused(response, 500, "gateway_failed")
    said = "".join(capsys.readouterr())
    assert secret not in said + response.text
