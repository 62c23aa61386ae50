"""How the keys' programs ask an API server, and how its refusals read: one line, and never a body of ours."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError, MaxRetryError

from infra.keys.book import KeysError
from infra.kubeconfig import KubeconfigError
from infra.kubeconfig import connect as kubeconfig_client

T = TypeVar("T")

REQUEST_SECONDS = (5.0, 20.0)
"""To connect, and to wait for an answer: somebody waits in front of a terminal."""


class RefusedError(KeysError):
    """The API server said no."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


def connect(context: str | None, kubeconfig: Path | None = None) -> client.CoreV1Api:
    """Return the API of the cluster that a kubeconfig context means; None: the current one.

    Raises:
        KeysError: no kubeconfig, or no such context in it.
    """
    try:
        return client.CoreV1Api(kubeconfig_client(context, kubeconfig))
    except KubeconfigError as error:
        raise KeysError(str(error)) from None


def connect_from_within() -> client.CoreV1Api:
    """Return the API of the cluster that this program runs in, or of KUBECONFIG where that is set.

    Raises:
        KeysError: neither can be used.
    """
    if os.environ.get("KUBECONFIG"):
        return connect(None)
    settings = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    except config.ConfigException as error:
        message = f"not in a pod ({_first_line(str(error))}), and KUBECONFIG is not set"
        raise KeysError(message) from None
    return client.CoreV1Api(client.ApiClient(settings))


def asked(question: Callable[[], T]) -> T:
    """Return what the API server answers.

    Raises:
        RefusedError: it refuses.
        KeysError: it does not answer, or something else does.
    """
    try:
        return question()
    except ApiException as error:
        raise RefusedError(error.status or 0, _refusal(error)) from None
    except MaxRetryError as error:
        raise KeysError(f"the cluster does not answer: {_first_line(str(error.reason))}") from None
    except HTTPError as error:
        raise KeysError(f"the cluster does not answer: {_first_line(str(error))}") from None
    except ValueError:
        # The client's own message would hold what it could not read, and that may be keys.
        raise KeysError("the cluster's answer cannot be read") from None


def _refusal(error: ApiException) -> str:
    if error.status == 403:
        # Says who may not do what; other refusals may repeat what was sent.
        return f"the cluster refuses: {_status_message(error.body) or error.reason}"
    if error.status == 401:
        return "the cluster does not know who asks: log in again (401 Unauthorized)"
    return f"the cluster refuses: {error.status} {error.reason}"


def _status_message(body: str | None) -> str:
    try:
        status = json.loads(body or "")
    except ValueError:
        return ""
    message = status.get("message") if isinstance(status, dict) else None
    return _first_line(message) if isinstance(message, str) else ""


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no message"
