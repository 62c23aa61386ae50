"""Talking to the API server: any kind of object, as plain data."""

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlencode

import urllib3
from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject

from infra.local.kubernetes_provider.kubeconfig import Unreachable
from infra.local.kubernetes_provider.manifest import name_of, namespace_of, number_at, objects_at, text_at
from infra.local.kubernetes_provider.values import Manifest

CONNECTIONS = 256
REQUEST_TIMEOUT = urllib3.Timeout(connect=5.0, read=60.0)
WATCH_SECONDS = 5
"""How long one watch lasts: then the object is read afresh, so that a lost event delays and never hangs."""


class ApiError(Exception):
    """The API server refused."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class NoSuchKind(Exception):  # noqa: N818 - it is what the API server has not
    """The API server does not know a kind; its definition may come later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """Where the API server keeps the objects of a kind."""

    base: str
    plural: str
    namespaced: bool

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of an object, or of all in a namespace."""
        scope = f"/namespaces/{quote(namespace or 'default')}" if self.namespaced else ""
        return f"{self.base}{scope}/{self.plural}" + (f"/{quote(name)}" if name else "")


class Cluster:
    """An API server."""

    def __init__(self, configuration: Configuration) -> None:
        configuration.connection_pool_maxsize = CONNECTIONS
        self._configuration = configuration
        self._pool: urllib3.PoolManager = RESTClientObject(configuration).pool_manager
        self._kinds: dict[tuple[str, str], Resource] = {}
        self._discovering = threading.Lock()

    def check(self) -> None:
        """Fail where the API server does not answer."""
        self._request("GET", "/version", timeout=urllib3.Timeout(connect=3.0, read=10.0))

    def resource(self, api_version: str, kind: str) -> Resource:
        """Find where the objects of a kind are."""
        with self._discovering:
            if (api_version, kind) not in self._kinds:
                self._discover(api_version)
            if (api_version, kind) not in self._kinds:
                raise NoSuchKind(f'no matches for kind "{kind}" in version "{api_version}"')
            return self._kinds[api_version, kind]

    def _discover(self, api_version: str) -> None:
        base = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        try:
            listed = self._request("GET", base)
        except ApiError as error:
            if error.status != 404:
                raise
            return
        for entry in objects_at(listed, "resources"):
            plural = text_at(entry, "name")
            if "/" not in plural:
                self._kinds[api_version, text_at(entry, "kind")] = Resource(
                    base=base, plural=plural, namespaced=entry.get("namespaced") is True
                )

    def path_of(self, manifest: Manifest) -> str:
        """Return the path of an object."""
        resource = self.resource(text_at(manifest, "apiVersion"), text_at(manifest, "kind"))
        return resource.path(namespace_of(manifest), name_of(manifest))

    def get(self, manifest: Manifest) -> Manifest:
        """Read an object, live."""
        return self._request("GET", self.path_of(manifest))

    def exists(self, manifest: Manifest) -> Manifest | None:
        """Read an object, live; None where it, or its kind, is gone."""
        try:
            return self.get(manifest)
        except NoSuchKind:
            return None
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def create(self, manifest: Manifest, *, manager: str, dry_run: bool) -> Manifest:
        """Create an object; fail where it exists."""
        resource = self.resource(text_at(manifest, "apiVersion"), text_at(manifest, "kind"))
        query = {"fieldManager": manager, **_dry_run(dry_run)}
        return self._request("POST", resource.path(namespace_of(manifest)), query=query, body=manifest)

    def apply(self, manifest: Manifest, *, manager: str, force: bool, dry_run: bool) -> Manifest:
        """Apply an object on the server's side."""
        query = {"fieldManager": manager, "force": str(force).lower(), **_dry_run(dry_run)}
        return self._request(
            "PATCH",
            self.path_of(manifest),
            query=query,
            body=manifest,
            content_type="application/apply-patch+yaml",  # JSON is YAML
        )

    def replace_metadata(self, manifest: Manifest, metadata: Mapping[str, object]) -> Manifest:
        """Set metadata of an object, if it still has the resource version that the metadata names."""
        return self._request(
            "PATCH",
            self.path_of(manifest),
            body={"metadata": dict(metadata)},
            content_type="application/merge-patch+json",
        )

    def delete(self, manifest: Manifest, *, propagation: str) -> None:
        """Start the deletion of an object."""
        body: Manifest = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": propagation}
        self._request("DELETE", self.path_of(manifest), body=body)

    def select(
        self, api_version: str, kind: str, namespace: str, labels: Mapping[str, str]
    ) -> list[Manifest]:
        """List the objects of a kind that have some labels."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        path = self.resource(api_version, kind).path(namespace)
        return objects_at(self._request("GET", path, query={"labelSelector": selector}), "items")

    def changes(self, manifest: Manifest) -> Iterator[Manifest | None]:
        """Yield an object now and whenever it changes; None while it is gone.

        Ends never; yields at least every `WATCH_SECONDS`, so that who listens can look at the clock.
        """
        while True:
            seen = self.exists(manifest)
            yield seen
            yield from self._watch(manifest, text_at(seen, "metadata", "resourceVersion"))

    def _watch(self, manifest: Manifest, version: str) -> Iterator[Manifest | None]:
        try:
            resource = self.resource(text_at(manifest, "apiVersion"), text_at(manifest, "kind"))
        except NoSuchKind:
            return
        query = {
            "watch": "true",
            "fieldSelector": f"metadata.name={name_of(manifest)}",
            "timeoutSeconds": str(WATCH_SECONDS),
            **({"resourceVersion": version} if version else {}),
        }
        response = self._open("GET", resource.path(namespace_of(manifest)), query=query)
        try:
            for line in _lines(response):
                event = json.loads(line)
                if event["type"] == "ERROR":  # most often a version too old to watch from
                    return
                yield None if event["type"] == "DELETED" else event["object"]
        except urllib3.exceptions.HTTPError:
            return
        finally:
            response.close()

    def _request(
        self,
        method: Literal["GET", "POST", "PATCH", "DELETE"],
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
        timeout: urllib3.Timeout = REQUEST_TIMEOUT,
    ) -> Manifest:
        response = self._open(
            method, path, query=query, body=body, content_type=content_type, timeout=timeout
        )
        answer = json.loads(response.data or b"{}")
        return answer if isinstance(answer, dict) else {}

    def _open(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
        timeout: urllib3.Timeout = REQUEST_TIMEOUT,
    ) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": "application/json"}
        for auth in self._configuration.auth_settings().values():
            headers[text_at(auth, "key")] = text_at(auth, "value")
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            response = self._pool.request(
                method,
                f"{self._configuration.host}{path}" + (f"?{urlencode(query)}" if query else ""),
                body=None if body is None else json.dumps(body),
                headers=headers,
                timeout=timeout,
                preload_content=False,
            )
            if response.status >= 400:
                raise _refusal(response.status, response.data)
        except urllib3.exceptions.HTTPError as error:
            raise Unreachable(
                f"the API server at {self._configuration.host} does not answer: {error}"
            ) from error
        return response


def _dry_run(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def _refusal(status: int, data: bytes) -> ApiError:
    try:
        answer = json.loads(data)
    except ValueError:
        return ApiError(status, "", data.decode(errors="replace"))
    return ApiError(
        number_at(answer, "code") or status, text_at(answer, "reason"), text_at(answer, "message")
    )


def _lines(response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    buffer = b""
    for chunk in response.stream():
        *lines, buffer = (buffer + chunk).split(b"\n")
        yield from lines
