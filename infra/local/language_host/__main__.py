"""Start the stand-in as Pulumi starts `pulumi-language-python`: it prints its port and serves."""

import sys

from pulumi.runtime.proto import language_pb2_grpc

from infra.local.language_host.server import LanguageHost
from infra.local.plugin_server import engine_address, serve

WORKERS = 16  # a run, a pack or two, and short questions beside them

if __name__ == "__main__":
    host = LanguageHost(engine_address(sys.argv[1:]))
    serve(
        lambda server: language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server),
        host.end_children,
        WORKERS,
    )
