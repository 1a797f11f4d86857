"""The kind `rest`: answers in pages, answers in XML, and the token of the government data exchange."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from local_sources import Handler, ask, http_answer, opened, read_request, services_at, serving

from gateway.catalogue import check_kind
from gateway.errors import AgencyMisbehaved, AgencyUnavailable, CitizenNotFound
from gateway.model.service import Service

ELDER = "9111111111114"


def changed(service: Service, mapping: dict[str, Any] | None = None, **settings: Any) -> Service:
    connector = service.connector
    kept = {**connector["settings"], **settings}
    own = {**connector, "settings": {key: value for key, value in kept.items() if value is not None}}
    return replace(service, connector={**own, "mapping": mapping or connector["mapping"]})


def pages(*answers: dict[str, Any] | int) -> tuple[Handler, list[str]]:
    """A source whose pages are these, and what it is asked."""
    asked: list[str] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await read_request(reader)
            asked.append(head.split(b" ")[1].decode())
            answer = answers[int(asked[-1].rpartition("page=")[2]) - 1]
            whole = (
                http_answer(b"{}", status=answer)
                if isinstance(answer, int)
                else http_answer(json.dumps(answer).encode())
            )
            writer.write(whole)

    return handler, asked


def page(total: Any, *marks: str, person: str = ELDER) -> dict[str, Any]:
    rows = [{"personID": person, "gpax": mark, "academicYear": 2568, "semester": 1} for mark in marks]
    return {"totalPages": total, "data": rows}


async def student(*answers: dict[str, Any] | int, **settings: Any) -> tuple[Any, list[str]]:
    handler, asked = pages(*answers)
    async with serving(handler) as port:
        service = changed(services_at("moe", f"http://127.0.0.1:{port}")["moe.student.v1"], **settings)
        async with opened(service, secret=lambda name: "key") as connector:
            return await connector.fetch(ask(service, ELDER)), asked


async def test_every_page_is_read() -> None:
    record, asked = await student(page("3", "1.1", "1.2"), page(3, "1.3", "1.4"), page(3, "1.5"))
    assert [term["gpax"] for term in record.data["terms"]] == [1.1, 1.2, 1.3, 1.4, 1.5]
    assert asked == [f"/students?personID={ELDER}&page={number}" for number in (1, 2, 3)]


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ((page(2, "1.1"), page(2, "1.2", person="9222222222226")), "mixed_rows"),
        ((page(999, "1.1"),), "pages"),
        ((page(None, "1.1"),), "pages"),
        ((page(-1, "1.1"),), "pages"),
        (({"totalPages": 1, "data": {}},), "pages"),
        ((page(2, "1.1"), 500), "status"),
    ],
)
async def test_pages_that_cannot_be_put_together(answers: tuple[Any, ...], fault: str) -> None:
    with pytest.raises(AgencyMisbehaved) as caught:
        await student(*answers)
    assert caught.value.fault == fault


MAPPING = {"root": "/person", "echo": "/person/id", "fields": {"first_name": {"type": "text", "path": "/name"}}}


async def xml(body: bytes, content_type: str = "text/xml") -> Any:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await read_request(reader)
        assert b"Accept: application/xml, text/xml" in head
        writer.write(http_answer(body, content_type=content_type))

    async with serving(handler) as port:
        service = services_at("dopa", f"http://127.0.0.1:{port}")["dopa.person.v1"]
        not_found = [{"path": "/error", "equals": ["404"]}]
        service = changed(service, MAPPING, format="xml", not_found=not_found, failed=None)
        async with opened(service, secret=lambda name: "key") as connector:
            return await connector.fetch(ask(service, ELDER, fields={"first_name"}))


async def test_xml() -> None:
    person = f"<person><id>{ELDER}</id><name>สม</name></person>"
    text = f'<?xml version="1.0" encoding="TIS-620"?><a:answer xmlns:a="urn:a">{person}</a:answer>'
    for body, kind in (
        (text.encode("tis_620"), "text/xml"),
        (text.encode(), "application/xml; charset=utf-8"),
        (b"\xef\xbb\xbf" + text.encode(), "application/problem+xml"),
    ):
        record = await xml(body, kind)
        assert (record.echo, record.data) == (ELDER, {"first_name": "สม"})
    with pytest.raises(CitizenNotFound):
        await xml(b"<answer><error>404</error></answer>")


@pytest.mark.parametrize(
    ("body", "content_type", "fault"),
    [
        (b"<a>", "text/xml", "not_xml"),
        (b"{}", "application/json", "content_type"),
        (b"<a/>", "multipart/related", "attachment"),
        (b'<a><x:Include xmlns:x="http://www.w3.org/2004/08/xop/include" href="cid:1"/></a>', "text/xml", "attachment"),
        (b"<a>text<b/></a>", "text/xml", "mixed"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', "text/xml", "doctype"),
        (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/a.dtd"><a/>', "text/xml", "doctype"),
        (b"<a>&undeclared;</a>", "text/xml", "not_xml"),
        ("<a>ก</a>".encode("utf-16"), "text/xml; charset=utf-16", "charset"),
        ("<a>ก</a>".encode("tis_620"), "text/xml; charset=utf-8", "charset"),
        (b"<a>" + b"<b>" * 5000 + b"</b>" * 5000 + b"</a>", "text/xml", "not_xml"),
    ],
)
async def test_xml_that_is_not_read(body: bytes, content_type: str, fault: str) -> None:
    with pytest.raises(AgencyMisbehaved) as caught:
        await xml(body, content_type)
    assert caught.value.fault == fault


_CONSUMER = {"KEY": "the-key", "SECRET": "s&=1", "AGENT": "linkage"}


async def test_the_token_of_the_government_data_exchange() -> None:
    """Fetched once with key, secret and agent; sent with every question; fetched anew when it is refused."""
    seen: list[bytes] = []
    good = [b"first"]

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, _ = await read_request(reader)
            seen.append(head)
            if b"/ws/auth/validate" in head:
                writer.write(http_answer(b'{"Result":"' + good[-1] + b'"}'))
            elif b"Token: " + good[-1] + b"\r\n" in head and b"Consumer-Key: the-key\r\n" in head:
                writer.write(
                    http_answer(
                        f'{{"personalID":"{ELDER}","firstName":"a","lastName":"b","statusOfPersonCode":0}}'.encode()
                    )
                )
            else:
                writer.write(http_answer(b'{"Message":"x"}', status=401))

    secrets = {
        "env:SOURCE_DOPA__KEY": "the-key",
        "env:SOURCE_DOPA__SECRET": "s&=1",
        "env:SOURCE_DOPA__AGENT": "linkage",
    }
    async with serving(handler) as port:
        endpoint = f"http://127.0.0.1:{port}"
        auth = {
            "scheme": "gdx",
            "token_endpoint": f"{endpoint}/ws/auth/validate",
            "consumer_key": {"env": "SOURCE_DOPA__KEY"},
            "consumer_secret": {"env": "SOURCE_DOPA__SECRET"},
            "agent": {"env": "SOURCE_DOPA__AGENT"},
        }
        service = changed(services_at("dopa", endpoint)["dopa.person.v1"], auth=auth)
        check_kind(service)
        async with opened(service, secret=secrets.__getitem__) as connector:
            for _ in range(3):
                assert (await connector.fetch(ask(service, ELDER))).echo == ELDER
            assert sum(b"/validate" in head for head in seen) == 1
            assert b"GET /ws/auth/validate?ConsumerSecret=s%26%3D1&AgentID=linkage HTTP" in seen[0]
            assert b"Consumer-Key: the-key\r\n" in seen[0]
            good.append(b"second")
            assert (await connector.fetch(ask(service, ELDER))).echo == ELDER
            assert sum(b"/validate" in head for head in seen) == 2
            good.append(b"\xe0")
            with pytest.raises(AgencyMisbehaved) as caught:
                await connector.fetch(ask(service, ELDER))
    assert caught.value.fault == "token"


async def test_rest_and_soap_introduce_the_gateway_to_the_source() -> None:
    shown: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await read_request(reader)
        shown.extend(line for line in head.split(b"\r\n") if line.lower().startswith(b"linkage-exchange"))
        writer.write(http_answer(b"", status=503))

    async with serving(handler) as port:
        for agency, name in (("dopa", "dopa.person.v1"), ("dlt", "dlt.vehicle.v1")):
            service = services_at(agency, f"http://127.0.0.1:{port}")[name]
            async with opened(service, secret=lambda reference: "made-up") as connector:
                for said in ("aaa.bbb.ccc", ""):
                    with pytest.raises(AgencyUnavailable):
                        await connector.fetch(replace(ask(service, ELDER), introduce=lambda said=said: said))
    assert shown == [b"Linkage-Exchange: aaa.bbb.ccc"] * 2
