"""How commands reach a cluster: by a context of the user's kubeconfig."""

from pathlib import Path
from typing import cast

from kubernetes import client, config


class KubeconfigError(Exception):
    """A context cannot be used; the message says which, why, and what to do."""


def connect(context: str | None, kubeconfig: Path | None = None) -> client.ApiClient:
    """Return a client of the cluster that a context means; None: the current one, of the usual kubeconfig.

    Raises:
        KubeconfigError: no kubeconfig, or no such context in it.
    """
    file = str(kubeconfig) if kubeconfig else None
    try:
        return cast("client.ApiClient", config.new_client_from_config(file, context))  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError) as error:
        why = str(error).partition("\n")[0].rstrip(".")
        raise KubeconfigError(
            f"cannot use the kubeconfig context {context or '(current)'}: {why}. `kubectl config "
            "get-contexts` lists those that there are; `make up` starts the local cluster"
        ) from None
