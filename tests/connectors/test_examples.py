"""Every agency's examples: a source's answer, and the record (or the error) that it must become.

{"service", "about", "identifier", "given"? (what is compared), "status"?, "charset"?, and one of
   "answer" (JSON), "answer_file" with "content_type" (a file beside it), "database" (SQL that makes one, a file),
 "record" and "echo"? (and "as_of"?), or "outcome" (an error code) and "fault"?}
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from local_sources import ROOT, always, ask, http_answer, opened, services_at, serving

from gateway.catalogue import read_folder
from gateway.errors import GatewayError
from gateway.model.identifiers import has_valid_check_digit


@asynccontextmanager
async def source_of(example: dict[str, Any], file: Path, folder: Path) -> AsyncIterator[str]:
    """The endpoint of a source that answers as the example says, whatever it is asked."""
    if "database" in example:
        connection = sqlite3.connect(folder / "example.sqlite")
        connection.executescript((file.parent / example["database"]).read_text())
        connection.close()
        yield f"sqlite:///{folder / 'example.sqlite'}"
        return
    charset = example.get("charset", "utf-8")
    if "answer_file" in example:
        body, kind = (file.parent / example["answer_file"]).read_text(), example["content_type"]
    else:
        body, kind = json.dumps(example["answer"], ensure_ascii=False), f"application/json; charset={charset}"
    answer = http_answer(body.encode(charset), status=example.get("status", 200), content_type=kind)
    async with serving(always(answer)) as port:
        yield f"http://127.0.0.1:{port}"


EXAMPLES = sorted(ROOT.glob("connectors/*/examples/*.json"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: f"{file.parent.parent.name}/{file.stem}")
async def test_example(file: Path, tmp_path: Path) -> None:
    example: dict[str, Any] = json.loads(file.read_text())
    unknown = example.keys() - {
        "service", "about", "identifier", "status", "charset", "answer", "answer_file", "content_type", "database",
        "record", "echo", "as_of", "outcome", "fault", "given",
    }  # fmt: skip
    assert not unknown
    identifier = example["identifier"]
    assert identifier.startswith("9"), "made-up people only"
    assert has_valid_check_digit(identifier)
    async with source_of(example, file, tmp_path) as endpoint:
        service = services_at(file.parent.parent.name, endpoint)[example["service"]]
        async with opened(service, secret=lambda reference: str(tmp_path)) as connector:
            if "outcome" in example:
                with pytest.raises(GatewayError) as caught:
                    await connector.fetch(ask(service, identifier))
                assert caught.value.code == example["outcome"]
                assert getattr(caught.value, "fault", None) == example.get("fault")
                return
            record = await connector.fetch(ask(service, identifier, given=example.get("given", {})))
    assert dict(record.data) == example["record"]
    assert record.echo == example.get("echo")
    assert record.as_of == example.get("as_of")
    jsonschema_rs.Draft202012Validator(dict(service.schema)).validate(dict(record.data))


@pytest.mark.parametrize("file", sorted(ROOT.glob("connectors/*/agency.yaml")), ids=lambda file: file.parent.name)
def test_every_service_has_an_example_of_a_record(file: Path) -> None:
    shown = {
        example["service"]
        for example in map(json.loads, (each.read_text() for each in EXAMPLES if each.parent.parent == file.parent))
        if "record" in example
    }
    assert shown == {service["id"] for service in read_folder(file.parent, ROOT / "schemas").as_json()["services"]}
