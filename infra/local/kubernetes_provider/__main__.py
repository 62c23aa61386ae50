"""Start the stand-in as Pulumi starts `pulumi-resource-kubernetes`: it prints its port and serves."""

import sys

from pulumi.runtime.proto import provider_pb2_grpc

from infra.local.kubernetes_provider.server import KubernetesProvider
from infra.local.plugin_server import engine_address, serve

WORKERS = 256  # an update waits for every workload at once, each wait holding a thread

if __name__ == "__main__":
    provider = KubernetesProvider(engine_address(sys.argv[1:]))
    serve(
        lambda server: provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server),
        provider.cancel,
        WORKERS,
    )
