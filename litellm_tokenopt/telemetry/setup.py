"""An OpenTelemetry SDK for those who have none: spans and metrics to an OTLP endpoint."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from opentelemetry import metrics, trace

from ..errors import UnavailableError

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

logger = logging.getLogger(__name__)

Protocol: TypeAlias = Literal["http/protobuf", "grpc"]
SERVICE_NAME = "litellm-tokenopt"


@dataclass(frozen=True, slots=True)
class Providers:
    """An SDK's tracer and meter provider; they export in threads of their own until `shutdown`."""

    tracer_provider: TracerProvider
    meter_provider: MeterProvider

    def flush(self, timeout_seconds: float = 10.0) -> None:
        """Send what is waiting."""
        self.tracer_provider.force_flush(int(timeout_seconds * 1000))
        self.meter_provider.force_flush(timeout_seconds * 1000)

    def shutdown(self, timeout_seconds: float = 10.0) -> None:
        """Send what is waiting, and stop."""
        self.flush(timeout_seconds)
        self.tracer_provider.shutdown()
        self.meter_provider.shutdown(timeout_seconds * 1000)


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Call it before the program ends: what is waiting is sent, and exporting stops.

    `installed` is None when other providers were set already; then there is nothing to shut down.
    """

    installed: Providers | None

    def __call__(self) -> None:
        if self.installed is not None:
            self.installed.shutdown()

    def flush(self) -> None:
        """Send what is waiting, and go on."""
        if self.installed is not None:
            self.installed.flush()


def configure(
    endpoint: str | None = None, protocol: Protocol = "http/protobuf", service_name: str = SERVICE_NAME
) -> Shutdown:
    """Install global tracer and meter providers that export to *endpoint*, unless a program has set its own.

    *endpoint* is a collector's base URL (``http://localhost:4318``); None leaves it to ``OTEL_EXPORTER_OTLP_ENDPOINT``.
    ``OTEL_SERVICE_NAME`` wins over *service_name*. Raises `UnavailableError` when the exporter isn't installed.
    """
    if not (_is_api(trace.get_tracer_provider()) and _is_api(metrics.get_meter_provider())):
        logger.info("OpenTelemetry is configured already; its providers are used")
        return Shutdown(None)
    providers = open_providers(endpoint, protocol, service_name)
    trace.set_tracer_provider(providers.tracer_provider)
    metrics.set_meter_provider(providers.meter_provider)
    return Shutdown(providers)


def open_providers(
    endpoint: str | None = None, protocol: Protocol = "http/protobuf", service_name: str = SERVICE_NAME
) -> Providers:
    """Providers that export to *endpoint*, not installed anywhere. Raises as `configure` does."""
    try:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        spans, points = _grpc_exporters(endpoint) if protocol == "grpc" else _http_exporters(endpoint)
    except ImportError as error:
        raise UnavailableError(
            f"exporting telemetry by {protocol} needs opentelemetry-sdk and opentelemetry-exporter-otlp-proto-"
            f"{'grpc' if protocol == 'grpc' else 'http'} ({error}); pip install 'litellm-tokenopt[proxy]'"
        ) from error
    resource = _resource(service_name)
    tracer_provider = TracerProvider(resource=resource)
    tracer_provider.add_span_processor(BatchSpanProcessor(spans))
    reader = PeriodicExportingMetricReader(points)
    return Providers(tracer_provider, MeterProvider(metric_readers=[reader], resource=resource))


def _is_api(provider: object) -> bool:
    """Whether *provider* is what the API returns as long as nobody has set one."""
    return type(provider).__module__.startswith(("opentelemetry.trace", "opentelemetry.metrics"))


def _http_exporters(endpoint: str | None) -> tuple[SpanExporter, MetricExporter]:
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    if endpoint is None:
        return OTLPSpanExporter(), OTLPMetricExporter()
    base = endpoint.rstrip("/")
    return OTLPSpanExporter(endpoint=f"{base}/v1/traces"), OTLPMetricExporter(endpoint=f"{base}/v1/metrics")


def _grpc_exporters(endpoint: str | None) -> tuple[SpanExporter, MetricExporter]:
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter(endpoint=endpoint), OTLPMetricExporter(endpoint=endpoint)


def _resource(service_name: str) -> Resource:
    """Who sends; each process has its own instance id, so that workers' counters are kept apart."""
    from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, Resource
    from opentelemetry.sdk.resources import SERVICE_NAME as NAME_KEY

    environment = Resource.create({})
    # Older SDKs give no instance id of their own.
    ours = {NAME_KEY: service_name, SERVICE_INSTANCE_ID: str(uuid.uuid4())}
    named = not str(environment.attributes.get(NAME_KEY, "")).startswith("unknown_service")
    known = {key for key in environment.attributes if key != NAME_KEY or named}
    return environment.merge(Resource({key: value for key, value in ours.items() if key not in known}))
