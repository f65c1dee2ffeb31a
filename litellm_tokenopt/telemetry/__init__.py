"""Traces, metrics, and what callers are told: all of it read from the pipeline's records."""

from .recorder import Recorder
from .setup import Shutdown, configure
from .summary import headers, summary

__all__ = ["Recorder", "Shutdown", "configure", "headers", "summary"]
