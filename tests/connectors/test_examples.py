"""Every agency's examples: a source's answer, and the record (or the error) that it must become.

{"service", "about", "identifier", "status"?, "charset"?, "answer",
 "record" and "echo"? (and "as_of"?), or "outcome" (an error code) and "fault"?}
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from local_sources import ROOT, always, ask, http_answer, opened, services_at, serving

from gateway.errors import GatewayError
from gateway.model.identifiers import has_valid_check_digit

EXAMPLES = sorted(ROOT.glob("connectors/*/examples/*.json"))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: f"{file.parent.parent.name}/{file.stem}")
async def test_example(file: Path) -> None:
    example: dict[str, Any] = json.loads(file.read_text())
    unknown = example.keys() - {
        "service", "about", "identifier", "status", "charset", "answer", "record", "echo", "as_of", "outcome", "fault",
    }  # fmt: skip
    assert not unknown
    identifier = example["identifier"]
    assert identifier.startswith("9"), "made-up people only"
    assert has_valid_check_digit(identifier)
    charset = example.get("charset", "utf-8")
    body = json.dumps(example["answer"], ensure_ascii=False).encode(charset)
    answer = http_answer(body, status=example.get("status", 200), content_type=f"application/json; charset={charset}")
    async with serving(always(answer)) as port:
        service = services_at(file.parent.parent.name, f"http://127.0.0.1:{port}")[example["service"]]
        async with opened(service) as connector:
            if "outcome" in example:
                with pytest.raises(GatewayError) as caught:
                    await connector.fetch(ask(service, identifier))
                assert caught.value.code == example["outcome"]
                assert getattr(caught.value, "fault", None) == example.get("fault")
                return
            record = await connector.fetch(ask(service, identifier))
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
    assert shown == set(services_at(file.parent.name, "https://source.example"))
