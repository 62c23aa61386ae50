"""Telling the user, through the engine."""

from contextlib import suppress

import grpc
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc


class Log:
    """The engine's log."""

    def __init__(self, address: str | None) -> None:
        self._engine = engine_pb2_grpc.EngineStub(grpc.insecure_channel(address)) if address else None

    def info(self, message: str, urn: str = "") -> None:
        """Say something that stays in the output."""
        self._say(engine_pb2.INFO, message, urn, ephemeral=False)

    def warning(self, message: str, urn: str = "") -> None:
        """Warn."""
        self._say(engine_pb2.WARNING, message, urn, ephemeral=False)

    def status(self, message: str, urn: str) -> None:
        """Say what a resource waits for, beside it; the next status takes its place."""
        self._say(engine_pb2.INFO, message, urn, ephemeral=True)

    def _say(
        self, severity: engine_pb2.LogSeverity.ValueType, message: str, urn: str, *, ephemeral: bool
    ) -> None:
        if self._engine is None:
            return
        request = engine_pb2.LogRequest(severity=severity, message=message, urn=urn, ephemeral=ephemeral)
        with suppress(grpc.RpcError):  # an engine that is going away no longer listens
            self._engine.Log(request)


class StatusTeller:
    """Tells a resource's status, each only once in a row."""

    def __init__(self, log: Log, urn: str) -> None:
        self._log, self._urn, self._last = log, urn, ""

    def __call__(self, message: str) -> None:
        """Tell, unless that was the last told."""
        if message != self._last:
            self._last = message
            self._log.status(message, self._urn)
