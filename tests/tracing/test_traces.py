"""Traces sent to a real OTLP/HTTP receiver: every stage is in them, and in all their bytes nobody."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from connectors import population
from gateway.settings import Settings
from tests.acceptance.needles import Needles, digest_forms, value_forms, written_forms
from tests.harness import OLD_AGE, PERSON, ROOT, RunningGateway, running, token_of

ELDER = population.story("elder")
QUESTION = {"service": PERSON, "citizen_id": ELDER, "purpose": OLD_AGE}
STAGES = {"identify", "judge", "record decided", "fetch", "minimise", "record released", "seal"}


class Collector:
    """Takes what is posted to /v1/traces, byte for byte."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.heads: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if self.headers.get("content-encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                outer.heads.append(str(self.headers).encode())
                outer.bodies.append(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def spans(self) -> list[Span]:
        return [
            span
            for body in list(self.bodies)
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def stop(self) -> None:
        self._server.shutdown()


def attributes(span: Span) -> dict[str, str]:
    return {each.key: each.value.string_value for each in span.attributes}


def until(found: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (value := found()):
        assert time.monotonic() < deadline, "no such span came"
        time.sleep(0.1)
    return value


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningGateway, dict[str, Any], Collector]]:
    collector = Collector()
    settings = {"LINKAGE_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with running(tmp_path_factory.mktemp("traced"), **settings) as (gateway, agencies):
        yield gateway, agencies, collector
    collector.stop()


def ask(gateway: RunningGateway, token: str, question: Any, **headers: str) -> httpx.Response:
    body = question if isinstance(question, bytes) else orjson.dumps(question)
    sent = {"authorization": f"Bearer {token}", "content-type": "application/json", **headers}
    return httpx.post(f"{gateway.url}/v1/exchanges", content=body, headers=sent, trust_env=False, timeout=30)


def trace_of(collector: Collector, exchange_id: str) -> list[Span]:
    """All spans of the trace of one exchange, the exchange's own first."""

    def whole() -> list[Span]:
        spans = collector.spans()
        for root in spans:
            if root.name == "exchange" and attributes(root).get("linkage.exchange") == exchange_id:
                return [root, *(span for span in spans if span.parent_span_id == root.span_id)]
        return []

    return list(until(whole))


def test_one_exchange_is_one_trace_with_a_span_for_each_stage(traced: Any) -> None:
    gateway, agencies, collector = traced
    token = token_of(gateway, "city-a-welfare")
    answer = ask(gateway, token, QUESTION).json()
    root, *stages = trace_of(collector, answer["exchange_id"])
    assert {stage.name for stage in stages} == STAGES
    assert {stage.trace_id for stage in stages} == {root.trace_id}
    assert all(root.start_time_unix_nano <= stage.start_time_unix_nano for stage in stages)
    assert all(stage.end_time_unix_nano <= root.end_time_unix_nano for stage in stages)
    assert attributes(root) == {
        "linkage.exchange": answer["exchange_id"],
        "linkage.service": PERSON,
        "linkage.outcome": "ok",
    }
    agencies["dopa"].fault("error_500", times=1)
    problem = ask(gateway, token, QUESTION).json()
    root, *stages = trace_of(collector, problem["exchange_id"])
    outcomes = {stage.name: attributes(stage)["linkage.outcome"] for stage in stages}
    assert attributes(root)["linkage.outcome"] == outcomes["fetch"] == problem["code"] == "agency_misbehaved"
    assert outcomes["record failed"] == "ok"
    refused = ask(gateway, token, {**QUESTION, "fields": ["father_name"]}).json()
    root, *stages = trace_of(collector, refused["exchange_id"])
    assert {stage.name for stage in stages} == {"identify", "judge", "record decided"}


def test_a_caller_s_trace_is_joined_and_not_told(traced: Any) -> None:
    gateway, _, collector = traced
    token = token_of(gateway, "city-a-welfare")

    def trace(*values: str) -> bytes:
        headers = {"traceparent": values[0]} if values else {}
        return bytes(trace_of(collector, ask(gateway, token, QUESTION, **headers).json()["exchange_id"])[0].trace_id)

    one, other = "0af7651916cd43dd8448eb211c80319c", "1af7651916cd43dd8448eb211c80319c"
    first = trace(f"00-{one}-b7ad6b7169203331-01")
    assert first == trace(f"00-{one}-00f067aa0ba902b7-00")
    assert first != trace(f"00-{other}-b7ad6b7169203331-01")
    assert first.hex() != one
    for nonsense in (f"00-{'0' * 32}-b7ad6b7169203331-01", f"ff-{one}-b7ad6b7169203331-01", "x", ELDER, f"00-{one}"):
        assert trace(nonsense) != trace(nonsense)
    assert not any(one.encode() in body or bytes.fromhex(one) in body for body in collector.bodies)


def test_in_every_byte_that_was_sent_there_is_nobody(traced: Any) -> None:
    gateway, agencies, collector = traced
    token = token_of(gateway, "city-a-welfare")
    digits = (ELDER * 3)[:32]
    hidden = (ELDER.encode().hex() + "0" * 32)[:32]
    for trace in (digits, hidden, f"{int(ELDER):032x}"):
        state = {"tracestate": f"x={ELDER}", "baggage": f"citizen={ELDER}", "x-request-id": ELDER}
        ask(gateway, token, QUESTION, traceparent=f"00-{trace}-{ELDER}000-01", **state)
    for fault in ("half", "not_json", "wrong_person", "wrong_schema", "unavailable", "huge"):
        agencies["dopa"].fault(fault, times=1)
        ask(gateway, token, QUESTION)
    agencies["dopa"].fault("none")
    for wrong in ({**QUESTION, "service": ELDER}, {**QUESTION, "purpose": ELDER}, {**QUESTION, ELDER: 1}):
        ask(gateway, token, wrong)
    ask(gateway, ELDER, QUESTION)
    ask(gateway, token, f'{{"citizen_id": "{ELDER}'.encode())
    last = ask(gateway, token, {**QUESTION, "fields": ["father_name"]}).json()["exchange_id"]
    trace_of(collector, last)
    needles = Needles()
    needles.add("the citizen", written_forms(ELDER))
    needles.add("a digest of the citizen", digest_forms(ELDER.encode()))
    needles.add("a digest of a question", digest_forms(orjson.dumps(QUESTION)))
    for value in population.sentinels(population.population()[ELDER]):
        needles.add("a value", value_forms(value))
    sent = b"\n".join([*collector.bodies, *collector.heads])
    assert len(sent) > 10_000
    assert needles.in_bytes(sent) == []
    assert needles.in_bytes(sent + ELDER.encode())  # the search would have found it
    names = {span.name for span in collector.spans()}
    assert names <= STAGES | {"exchange", "record failed", "record withheld"}
    assert not any(span.events or span.links or span.status.message for span in collector.spans())


def test_a_collector_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    from tests.harness import free_port

    gateway = RunningGateway(tmp_path, LINKAGE_OTLP_ENDPOINT=f"http://127.0.0.1:{free_port()}")
    gateway.initialise()
    gateway.start()
    assert ask(gateway, "x.y.z", QUESTION).status_code == 401
    process = gateway.process
    gateway.stop()
    assert process is not None
    assert process.returncode in (0, -15)
    lines = (gateway.output / "stderr.1").read_text().splitlines()
    assert all(orjson.loads(line) for line in lines)


def test_without_an_endpoint_nothing_of_it_is_loaded() -> None:
    code = (
        "import sys, gateway.app as app; from gateway.settings import Settings; "
        "parts = object(); assert app._traced(Settings(), None, parts)[0] is parts; "
        "assert not {'gateway.tracing', 'opentelemetry.sdk', 'requests'} & sys.modules.keys()"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("endpoint", ["ftp://x", "http://user:secret@x", "http://x?token=1", "x"])
def test_an_endpoint_holds_no_secret(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKAGE_OTLP_ENDPOINT", endpoint)
    with pytest.raises(ValueError, match="otlp_endpoint"):
        Settings()
