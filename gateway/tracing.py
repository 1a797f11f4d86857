"""Traces (OpenTelemetry, OTLP over HTTP), where LINKAGE_OTLP_ENDPOINT names who collects them; else none of this runs.

A trace is one exchange: a span for it all and one for each stage, with the exchange's id, the service and the outcome's
code. Nothing that a caller or a source wrote gets in: no exception's text, no URL, and not even the caller's trace id,
whose 32 digits have room for a citizen ID. `traceparent` (W3C) is taken in keyed form: what a caller asks within one
trace of its own is within one trace here too, and nobody reads the caller's from it. Toward a source no trace is passed
on; it is told the exchange's id, which is what both sides have on record.

The parts of the pipeline are wrapped where they are put together, so without traces nothing is in their way.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any, TypeVar, cast

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import GatewayError
from gateway.keys import KeyedDigest, Keys
from gateway.observe import course, logger
from gateway.pipeline import Incoming, Pipeline
from gateway.seal import Sealed

T = TypeVar("T")
_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?")
_FLUSH_SECONDS = 3
_SEND_SECONDS = 3

_trace_id: ContextVar[int] = ContextVar("trace_id", default=0)
_exchange: ContextVar[Span | None] = ContextVar("exchange_span", default=None)


class Tracing:
    """One gateway's traces, on their way to the collector at `endpoint`."""

    def __init__(self, endpoint: str, keys: Keys, gateway: str) -> None:
        self._keyed = KeyedDigest(keys.derive("trace"))
        resource = Resource.create({"service.name": "linkage-gateway", "service.instance.id": gateway})
        self._provider = TracerProvider(resource=resource, id_generator=_Ids())
        exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces", timeout=_SEND_SECONDS)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("linkage")
        library = logging.getLogger("opentelemetry")
        library.handlers, library.propagate = [_Told()], False

    async def close(self) -> None:
        """Sends what waits, for some seconds at most."""
        await asyncio.to_thread(self._provider.force_flush, _FLUSH_SECONDS * 1000)
        await asyncio.to_thread(self._provider.shutdown)

    def around(self, app: ASGIApp) -> ASGIApp:
        """`app`, with the caller's trace in keyed form for what it does; what waits is sent when it stops."""

        async def traced(scope: Scope, receive: Receive, send: Send) -> None:
            async def watched(message: Message) -> None:
                if message["type"] == "lifespan.shutdown.complete":
                    await self.close()
                await send(message)

            if scope["type"] == "http":
                _trace_id.set(self._of_caller([v for name, v in scope["headers"] if name == b"traceparent"]))
            await app(scope, receive, watched if scope["type"] == "lifespan" else send)

        return traced

    def _of_caller(self, headers: list[bytes]) -> int:
        found = _TRACEPARENT.fullmatch(headers[0]) if len(headers) == 1 else None
        return int.from_bytes(self._keyed.of(found[1])[:16]) if found else 0

    def traced(self, pipeline: Pipeline) -> Pipeline:
        """`pipeline` with a span around each exchange and each of its stages."""
        recording = self.stage(
            pipeline.recording,
            decided="record decided",
            released="record released",
            failed="record failed",
            withheld="record withheld",
        )
        return self.exchanges(
            replace(
                pipeline,
                identity=self.stage(pipeline.identity, identify="identify"),
                judging=self.stage(pipeline.judging, judge="judge"),
                recording=recording,
                sources=self.stage(pipeline.sources, fetch="fetch"),
                minimiser=self.stage(pipeline.minimiser, minimise="minimise"),
                sealer=self.stage(pipeline.sealer, seal="seal"),
            )
        )

    def stage(self, part: T, **names: str) -> T:
        """`part` with a span of the given name around each of the methods named."""
        return cast(
            T, _Watched(part, {method: self._spanned(getattr(part, method), names[method]) for method in names})
        )

    def exchanges(self, pipeline: Pipeline) -> Pipeline:
        """`pipeline` with a span around each exchange."""

        async def exchange(incoming: Incoming) -> Sealed:
            span = self._tracer.start_span("exchange", kind=SpanKind.SERVER)
            token = _exchange.set(cast(Span, span))
            outcome = "ok"
            try:
                return await pipeline.exchange(incoming)
            except GatewayError as error:
                outcome = error.code
                if error.exchange_id:
                    span.set_attribute("linkage.exchange", error.exchange_id)
                raise
            except BaseException as error:
                outcome = type(error).__name__
                raise
            finally:
                _exchange.reset(token)
                span.set_attribute("linkage.service", course().service)
                _end(cast(Span, span), outcome)

        return cast(Pipeline, _Watched(pipeline, {"exchange": exchange}))

    def _spanned(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        def begin(arguments: tuple[Any, ...]) -> Span | None:
            parent = _exchange.get()
            if parent is None:
                return None
            if name == "record decided" and parent.is_recording():  # the first to be told which exchange it is
                parent.set_attribute("linkage.exchange", arguments[0])
            return cast(Span, self._tracer.start_span(name, context=set_span_in_context(parent)))

        if inspect.iscoroutinefunction(method):

            async def awaited(*arguments: Any, **named: Any) -> Any:
                span, outcome = begin(arguments), "ok"
                try:
                    return await method(*arguments, **named)
                except BaseException as error:
                    outcome = getattr(error, "code", None) or type(error).__name__
                    raise
                finally:
                    _end(span, outcome)

            return awaited

        def called(*arguments: Any, **named: Any) -> Any:
            span, outcome = begin(arguments), "ok"
            try:
                return method(*arguments, **named)
            except BaseException as error:
                outcome = getattr(error, "code", None) or type(error).__name__
                raise
            finally:
                _end(span, outcome)

        return called


class _Watched:
    """Another object, with some of its methods in other clothes."""

    def __init__(self, part: object, methods: dict[str, Callable[..., Any]]) -> None:
        self._part = part
        self.__dict__.update(methods)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._part, name)


class _Ids(RandomIdGenerator):
    """Random ids, but for the trace that the caller is in."""

    def generate_trace_id(self) -> int:
        return _trace_id.get() or super().generate_trace_id()


class _Told(logging.Handler):
    """The library's own complaints as lines of ours: where they arose, not what they say."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.warning("traces_not_sent", at=f"{record.module}:{record.lineno}")


def _end(span: Span | None, outcome: str) -> None:
    """Closes a span. `outcome`: a code of ours or a kind of exception, never an exception's text."""
    if span is not None:
        span.set_attribute("linkage.outcome", outcome)
        if outcome != "ok":
            span.set_status(StatusCode.ERROR)
        span.end()
