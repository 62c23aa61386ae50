"""The language host's gRPC service: what the engine asks about, and wants run, in Python."""

# ruff: noqa: N802 - gRPC names its methods

import json
import os
import platform
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import IO

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2

from infra.local.language_host import program
from infra.local.language_host.interpreter import InterpreterError, interpreter_of, required_plugins

NOTICE = (
    "The program runs through Model Units' stand-in for Pulumi's Python language host: "
    "the official one is not installed, and this machine cannot download it."
)
ENDING_SECONDS = 3.0  # the engine kills its plugins after 5


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs programs and policy packs, each in a process of its own."""

    def __init__(self, engine: str | None) -> None:
        self._engine = engine
        self._children: set[subprocess.Popen[bytes]] = set()
        self._said = threading.Event()

    def Run(
        self, request: language_pb2.RunRequest, context: grpc.ServicerContext
    ) -> language_pb2.RunResponse:
        """Run a program to its end; bail where it has shown its own error."""
        if not self._said.is_set():
            self._said.set()
            print(NOTICE, file=sys.stderr, flush=True)
        try:
            interpreter = interpreter_of(request.info)
        except InterpreterError as error:
            return language_pb2.RunResponse(error=str(error))
        variables = interpreter.environment(os.environ)
        variables["PULUMI_CONFIG"] = json.dumps(dict(request.config))
        variables["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
        argument = json.dumps(self._program_request(request))
        command = [str(interpreter.executable), "-u", program.__file__, argument]
        child = self._start(command, Path(request.pwd), variables, context)
        code = child.wait()
        self._children.discard(child)
        if code == program.SHOWN:
            return language_pb2.RunResponse(bail=True)
        if code < 0:
            return language_pb2.RunResponse(error=f"Program was ended by signal {-code}")
        if code > 0:
            return language_pb2.RunResponse(error=f"Program exited with non-zero exit code: {code}")
        return language_pb2.RunResponse()

    def _program_request(self, request: language_pb2.RunRequest) -> Mapping[str, object]:
        return {
            "directory": request.pwd,
            "program": request.info.entry_point or ".",
            "arguments": list(request.args),
            "settings": {
                "monitor": request.monitor_address,
                "engine": self._engine,
                "project": request.project,
                "stack": request.stack,
                "parallel": request.parallel,
                "dry_run": request.dryRun,
                "organization": request.organization,
                "root_directory": request.info.root_directory,
            },
        }

    def RunPlugin(
        self, request: language_pb2.RunPluginRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.RunPluginResponse]:
        """Run a policy pack, streaming what it prints; the first line it prints is its port."""
        if request.kind != "analyzer":
            message = f"the stand-in language host runs policy packs, not {request.kind} plugins"
            context.abort(grpc.StatusCode.UNIMPLEMENTED, message)
        try:
            interpreter = interpreter_of(request.info)
        except InterpreterError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        pack = request.info.program_directory
        variables = interpreter.environment(dict(entry.split("=", 1) for entry in request.env))
        command = [str(interpreter.executable), "-u", "-m", "pulumi.policy", *request.args, pack]
        child = self._start(command, Path(pack), variables, context, stream=True)
        yield from _output(child)
        code = child.wait()
        self._children.discard(child)
        yield language_pb2.RunPluginResponse(exitcode=code if code >= 0 else 128 - code)

    def _start(
        self,
        command: list[str],
        directory: Path,
        variables: Mapping[str, str],
        context: grpc.ServicerContext,
        *,
        stream: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start a child that ends when the engine no longer waits for the call."""
        pipe = subprocess.PIPE if stream else None
        child = subprocess.Popen(command, cwd=directory, env=variables, stdout=pipe, stderr=pipe)
        self._children.add(child)
        if not context.add_callback(lambda: _end(child)):
            _end(child)
        return child

    def end_children(self) -> None:
        """End every program and pack that still runs."""
        for child in list(self._children):
            _end(child)

    def GetRequiredPackages(
        self, request: language_pb2.GetRequiredPackagesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetRequiredPackagesResponse:
        """Name the resource plugins of the Pulumi packages installed for the program."""
        try:
            plugins = required_plugins(interpreter_of(request.info))
        except InterpreterError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        return language_pb2.GetRequiredPackagesResponse(
            packages=[
                plugin_pb2.PackageDependency(
                    name=plugin.name, kind="resource", version=plugin.version, server=plugin.server
                )
                for plugin in plugins
            ]
        )

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """Say the version of the SDK that this host goes with."""
        return plugin_pb2.PluginInfo(version=version("pulumi"))

    def InstallDependencies(
        self, request: language_pb2.InstallDependenciesRequest, context: grpc.ServicerContext
    ) -> Iterator[language_pb2.InstallDependenciesResponse]:
        """Install nothing, and say how it is done."""
        message = "The stand-in language host installs nothing: run make set-up instead.\n"
        yield language_pb2.InstallDependenciesResponse(stdout=message.encode())

    def RuntimeOptionsPrompts(
        self, request: language_pb2.RuntimeOptionsRequest, context: grpc.ServicerContext
    ) -> language_pb2.RuntimeOptionsResponse:
        """Ask nothing."""
        return language_pb2.RuntimeOptionsResponse()

    def About(
        self, request: language_pb2.AboutRequest, context: grpc.ServicerContext
    ) -> language_pb2.AboutResponse:
        """Say which Python this is."""
        return language_pb2.AboutResponse(executable=sys.executable, version=platform.python_version())

    def GetProgramDependencies(
        self, request: language_pb2.GetProgramDependenciesRequest, context: grpc.ServicerContext
    ) -> language_pb2.GetProgramDependenciesResponse:
        """List what is installed for the program."""
        try:
            installed = interpreter_of(request.info).installed()
        except InterpreterError as error:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        names = sorted({(found.metadata["Name"], found.version) for found in installed})
        return language_pb2.GetProgramDependenciesResponse(
            dependencies=[language_pb2.DependencyInfo(name=name, version=number) for name, number in names]
        )

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """End every program and pack: the engine is being cancelled."""
        self.end_children()
        return empty_pb2.Empty()


def _end(child: subprocess.Popen[bytes]) -> None:
    """Ask a child to end, and make it if it does not."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()


def _output(child: subprocess.Popen[bytes]) -> Iterator[language_pb2.RunPluginResponse]:
    """Yield what a child prints, on either stream, as it prints it."""
    assert child.stdout is not None
    assert child.stderr is not None
    printed: queue.SimpleQueue[language_pb2.RunPluginResponse | None] = queue.SimpleQueue()

    def copy(stream: IO[bytes], kind: str) -> None:
        while chunk := os.read(stream.fileno(), 65536):
            printed.put(
                language_pb2.RunPluginResponse(stdout=chunk)
                if kind == "stdout"
                else language_pb2.RunPluginResponse(stderr=chunk)
            )
        printed.put(None)

    for stream, kind in ((child.stdout, "stdout"), (child.stderr, "stderr")):
        threading.Thread(target=copy, args=(stream, kind), daemon=True).start()
    ended = 0
    while ended < 2:
        message = printed.get()
        if message is None:
            ended += 1
        else:
            yield message
