"""Keys of a stack in a cluster: one Kubernetes Secret, which Pulumi knows nothing of."""

import base64
import binascii
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kubernetes import client

from infra import names
from infra.keys.book import KeysError
from infra.keys.cluster import REQUEST_SECONDS, RefusedError, asked
from infra.keys.contents import BOOK_FILE, Contents, read_texts, texts
from infra.render.gateway.keys import KEYS_FILE
from infra.render.gateway_common import KEYS_SECRET

CONFLICT = 409
NOT_FOUND = 404

ATTEMPTS = 10
"""Two people at once need two; a script that makes keys for many teams in parallel needs a few more."""

BACK_OFF_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class SecretStore:
    """Keeps keys in the Secret of a stack's gateway."""

    api: client.CoreV1Api
    stack: str

    def read(self) -> Contents:
        """Return the keys as they are now; none where there is no Secret."""
        return self._read()[0]

    def change(self, decide: Callable[[Contents], Contents]) -> Contents:
        """Put what `decide` makes of the present keys in their place; asks again where others were faster."""
        for attempt in range(ATTEMPTS):
            before, version = self._read()
            after = decide(before)
            try:
                self._write(after, version)
            except RefusedError as error:
                if error.status == NOT_FOUND and version is None:
                    raise self._no_namespace() from None
                if error.status not in (CONFLICT, NOT_FOUND):
                    raise
                time.sleep(random.uniform(0, BACK_OFF_SECONDS * 2 ** min(attempt, 4)))
            else:
                return after
        raise KeysError(
            f"{self._where}: others changed it {ATTEMPTS} times meanwhile; nothing was changed, try again"
        )

    @property
    def _namespace(self) -> str:
        return names.gateway_namespace(self.stack)

    @property
    def _where(self) -> str:
        return f"Secret {self._namespace}/{KEYS_SECRET}"

    def _read(self) -> tuple[Contents, str | None]:
        """Return the keys and the version that was read; None where there is no Secret."""
        try:
            found = asked(
                lambda: self.api.read_namespaced_secret(
                    KEYS_SECRET, self._namespace, _request_timeout=REQUEST_SECONDS
                )
            )
        except RefusedError as error:
            if error.status != NOT_FOUND:
                raise
            return Contents(), None
        version = found.metadata.resource_version if found.metadata else None
        return read_texts(_decoded(found.data or {}, self._where), self._where), version

    def _write(self, contents: Contents, version: str | None) -> None:
        data = {name: base64.b64encode(text.encode()).decode() for name, text in texts(contents).items()}
        if version is None:
            labels = {names.LABEL_STACK: self.stack, "app.kubernetes.io/managed-by": "modelunits"}
            body = client.V1Secret(
                type="Opaque", metadata=client.V1ObjectMeta(name=KEYS_SECRET, labels=labels), data=data
            )
            asked(
                lambda: self.api.create_namespaced_secret(
                    self._namespace, body, _request_timeout=REQUEST_SECONDS
                )
            )
        else:
            # Everything else about the Secret stays; another version in between is a conflict.
            patch = {"metadata": {"resourceVersion": version}, "data": data}
            asked(
                lambda: self.api.patch_namespaced_secret(
                    KEYS_SECRET, self._namespace, patch, _request_timeout=REQUEST_SECONDS
                )
            )

    def _no_namespace(self) -> KeysError:
        return KeysError(
            f"the cluster has no namespace {self._namespace}: deploy the gateway first, "
            f"`pulumi up --stack {self.stack}`"
        )


def _decoded(data: Mapping[str, str | bytes], where: str) -> Mapping[str, str]:
    try:
        ours = [name for name in (BOOK_FILE, KEYS_FILE) if name in data]
        return {name: base64.b64decode(data[name]).decode() for name in ours}
    except (binascii.Error, UnicodeDecodeError):
        raise KeysError(f"{where}: is not text; nothing was changed") from None
