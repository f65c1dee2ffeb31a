"""A real OpenTelemetry collector on loopback, for demonstrations and tests: what it passes on can be read back.

Programs send to the collector (the ``rotel`` package's process); it batches and exports, over OTLP, to a receiver
in this process, which decodes.
"""

from __future__ import annotations

import gzip
import importlib.util
import os
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UnavailableError
from .processes import Running, comes_up, end, free_ports

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

START_SECONDS = 15.0
STATUS_CODES = ("unset", "ok", "error")
SPAN_KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


class Collector(Running):
    """Runs the collector while its context is open.

    ``endpoint`` is the base URL for OTLP over HTTP (``http://127.0.0.1:PORT``). Entering raises `UnavailableError`
    when the ``rotel`` package is missing or its process doesn't start.
    """

    endpoint: str

    def __init__(self) -> None:
        self._received = _Received()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._receiver: ThreadingHTTPServer | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        agent = _agent()
        self._folder = tempfile.TemporaryDirectory(prefix="tokenopt-collector-")
        self._receiver = _start_receiver(self._received)
        self._start_agent(agent, Path(self._folder.name), self._receiver.server_address[1])

    def close(self) -> None:
        """End the process and the receiver. What arrived can still be read."""
        if self._process is not None:
            end(self._process)
        if self._receiver is not None:
            self._receiver.shutdown()
            self._receiver.server_close()
        if self._folder is not None:
            self._folder.cleanup()
        self._process = self._receiver = self._folder = None

    def spans(self) -> list[dict[str, Any]]:
        """The spans that arrived, by start: name, kind, trace_id, span_id, parent_span_id (hex; "" for a root),
        start_ns, end_ns, attributes, events, status {code, message}, scope, resource.
        """
        return sorted(self._received.spans(), key=lambda span: span["start_ns"])

    def metrics(self) -> list[dict[str, Any]]:
        """The last point of each series: name, unit, kind (sum, gauge, histogram), attributes, scope, resource, and
        value, or (histograms) count, sum, bounds, buckets. Counters are totals since their process started.
        """
        return self._received.points()

    def wait_for(self, *names: str, seconds: float = 15.0) -> None:
        """Wait until a span or metric of each of *names* has arrived; raises `TimeoutError` that names the missing."""
        missing = set(names)
        deadline = time.monotonic() + seconds
        while missing := missing - self._received.names():
            if not self._received.wait(deadline - time.monotonic()):
                raise TimeoutError(f"not arrived within {seconds:g} s: {', '.join(sorted(missing))}")

    def _start_agent(self, agent: Path, folder: Path, receiver_port: object) -> None:
        grpc_port, http_port = free_ports(2)
        self.endpoint = f"http://127.0.0.1:{http_port}"
        command = [
            str(agent), "start",
            "--pid-file", str(folder / "pid"),
            "--log-file", str(folder / "log"),
            "--otlp-grpc-endpoint", f"127.0.0.1:{grpc_port}",
            "--otlp-http-endpoint", f"127.0.0.1:{http_port}",
            "--batch-timeout", "50ms",
            "--exporter", "otlp",
            "--otlp-exporter-protocol", "http",
            "--otlp-exporter-endpoint", f"http://127.0.0.1:{receiver_port}",
        ]  # fmt: skip
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("ROTEL_", "OTEL_"))}
        with (folder / "output").open("wb") as output:
            self._process = subprocess.Popen(
                command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        if not comes_up(self._process, lambda: _listens(http_port), START_SECONDS):
            said = (folder / "output").read_text(errors="replace")[-500:]
            raise UnavailableError(f"the collector did not start: {said or 'no output'}")


def _agent() -> Path:
    spec = importlib.util.find_spec("rotel")
    if spec is None or spec.origin is None:
        raise UnavailableError("the collector is in the package rotel: pip install 'litellm-tokenopt[dev]'")
    return Path(spec.origin).with_name("rotel-agent")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _start_receiver(received: _Received) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Requests are not worth a line each."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    return server


class _Received:
    """What has arrived so far; safe to use from threads."""

    def __init__(self) -> None:
        self._spans: list[dict[str, Any]] = []
        self._points: dict[tuple[object, ...], dict[str, Any]] = {}
        self._changed = threading.Condition()

    def take(self, path: str, body: bytes) -> None:
        """Decode an export request that was sent to *path*."""
        spans = list(_decode_spans(body)) if path.endswith("/traces") else []
        points = list(_decode_points(body)) if path.endswith("/metrics") else []
        with self._changed:
            self._spans.extend(spans)
            self._points.update((_series(point), point) for point in points)
            self._changed.notify_all()

    def spans(self) -> list[dict[str, Any]]:
        with self._changed:
            return list(self._spans)

    def points(self) -> list[dict[str, Any]]:
        with self._changed:
            return list(self._points.values())

    def names(self) -> set[str]:
        return {item["name"] for item in [*self.spans(), *self.points()]}

    def wait(self, seconds: float) -> bool:
        """Wait for something to arrive, at most *seconds*; False when their end has come."""
        with self._changed:
            self._changed.wait(min(max(seconds, 0.0), 0.1))
        return seconds > 0


def _series(point: dict[str, Any]) -> tuple[object, ...]:
    keys = (point["resource"], point["attributes"])
    return (point["name"], point["scope"], point["start_ns"], *(repr(sorted(key.items())) for key in keys))


def _decode_spans(body: bytes) -> Iterator[dict[str, Any]]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    group: ResourceSpans
    for group in ExportTraceServiceRequest.FromString(body).resource_spans:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_spans:
            for span in scoped.spans:
                yield _span(span) | {"scope": scoped.scope.name, "resource": resource}


def _span(span: Span) -> dict[str, Any]:
    return {
        "name": span.name,
        "kind": SPAN_KINDS[span.kind],
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex(),
        "start_ns": span.start_time_unix_nano,
        "end_ns": span.end_time_unix_nano,
        "attributes": _attributes(span.attributes),
        "events": [{"name": event.name, "attributes": _attributes(event.attributes)} for event in span.events],
        "status": {"code": STATUS_CODES[span.status.code], "message": span.status.message},
    }


def _decode_points(body: bytes) -> Iterator[dict[str, Any]]:
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

    group: ResourceMetrics
    for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
        resource = _attributes(group.resource.attributes)
        for scoped in group.scope_metrics:
            for metric in scoped.metrics:
                for point in _metric_points(metric):
                    yield point | {"scope": scoped.scope.name, "resource": resource}


def _metric_points(metric: Metric) -> Iterator[dict[str, Any]]:
    kind = metric.WhichOneof("data")
    for point in getattr(metric, kind).data_points if kind in ("sum", "gauge", "histogram") else ():
        common = {
            "name": metric.name,
            "unit": metric.unit,
            "kind": kind,
            "attributes": _attributes(point.attributes),
            "start_ns": point.start_time_unix_nano,
        }
        if kind == "histogram":
            shape = {"bounds": list(point.explicit_bounds), "buckets": list(point.bucket_counts)}
            yield common | {"count": point.count, "sum": point.sum} | shape
        else:
            yield common | {"value": getattr(point, point.WhichOneof("value"))}


def _attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind)
