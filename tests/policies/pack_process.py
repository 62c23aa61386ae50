"""The policy pack as the engine runs it: a process that prints its port and answers over gRPC."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import grpc
from google.protobuf import struct_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc
from pulumi_policy.deserialize import serialize_properties

PACK = Path(__file__).parents[2] / "policies"


@contextmanager
def serving() -> Iterator[analyzer_pb2_grpc.AnalyzerStub]:
    """Run the pack and yield what the engine talks to."""
    # The address is the engine's, to which a pack only reports that it failed.
    command = [sys.executable, "-u", "-m", "pulumi.policy", "127.0.0.1:1", str(PACK)]
    with subprocess.Popen(command, cwd=PACK, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            port = process.stdout.readline().decode().strip()
            assert port.isdecimal(), "the pack did not start"
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield analyzer_pb2_grpc.AnalyzerStub(channel)
        finally:
            process.kill()


def request(type_: str, name: str, properties: Mapping[str, object]) -> analyzer_pb2.AnalyzeRequest:
    """Return what the engine sends about one resource."""
    return analyzer_pb2.AnalyzeRequest(
        type=type_, name=name, urn=urn(type_, name), properties=_struct(properties)
    )


def registered(type_: str, name: str, properties: Mapping[str, object]) -> analyzer_pb2.AnalyzerResource:
    """Return what the engine sends about one of all resources."""
    return analyzer_pb2.AnalyzerResource(
        type=type_, name=name, urn=urn(type_, name), properties=_struct(properties)
    )


def urn(type_: str, name: str) -> str:
    """Return the URN of a resource of these tests."""
    return f"urn:pulumi:dev::modelunits::{type_}::{name}"


def _struct(properties: Mapping[str, object]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(serialize_properties(properties))
    return struct
