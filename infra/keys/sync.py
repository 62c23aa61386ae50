"""Brings the gateway's files over from the cluster, beside Envoy: `python -m infra.keys.sync`.

Why: the kubelet brings a changed Secret over within about a minute; a revoked key has to stop in seconds.
"""

import argparse
import base64
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from kubernetes import client, watch

from infra.keys.book import KeysError
from infra.keys.cluster import RefusedError, asked, connect_from_within
from infra.keys.gateway_file import caller_keys
from infra.keys.mirror import mirror
from infra.render.gateway.keys import KEYS_FILE, key_file

WATCH_SECONDS = 30
"""After this long everything is asked anew: a connection that died without a word delays no key longer."""

ANSWER_SECONDS = (5.0, WATCH_SECONDS + 5.0)

RETRY_SECONDS = 2.0
"""Between attempts while the API server is away."""

ASK_ANEW_SECONDS = 0.2
"""After a watch that the API server has forgotten: nothing is wrong."""

START_SECONDS = 60.0
"""With --once: the time after which something is wrong that waiting does not heal."""

GONE = 410

Texts = Mapping[str, str]


@dataclass(slots=True, kw_only=True)
class Followed:
    """One object of the cluster, and what to do with what it holds."""

    title: str
    folder: Path
    list: Callable[..., "client.V1SecretList | client.V1ConfigMapList"]
    namespace: str
    name: str
    without: Texts | None
    """What to write where there is no such object; None: leave what was written last."""
    trouble: str = ""
    """What was complained of last, until it is over."""

    def put(self, texts: Texts | None) -> None:
        """Write the files of an object, or of none.

        Raises:
            KeysError: there is none, and nothing was ever written.
        """
        wanted = self.without if texts is None else texts
        if wanted is None:
            raise KeysError("is missing; the files stay as they are")
        if changed := mirror(self.folder, wanted):
            self.say(f"changed {', '.join(changed)}")
        self.trouble = ""

    def say(self, message: str) -> None:
        """Log a line, never with contents."""
        print(f"{self.title}: {message}", file=sys.stderr, flush=True)

    def complain(self, message: str) -> None:
        """Log a trouble, once."""
        if message != self.trouble:
            self.trouble = message
            self.say(f"{message}; trying again")


def followed(
    api: client.CoreV1Api, namespace: str, secret: str, config_map: str, out: Path
) -> tuple[Followed, ...]:
    """Return the two objects that a gateway lives on."""
    return (
        Followed(
            title=f"ConfigMap {namespace}/{config_map}",
            folder=out / "config",
            list=api.list_namespaced_config_map,
            namespace=namespace,
            name=config_map,
            without=None,
        ),
        Followed(
            title=f"Secret {namespace}/{secret}",
            folder=out / "keys",
            list=api.list_namespaced_secret,
            namespace=namespace,
            name=secret,
            without={KEYS_FILE: key_file(())},
        ),
    )


def bring(one: Followed) -> str:
    """Write an object's files as they are now; return the version to watch from.

    Raises:
        KeysError: it cannot be had.
    """
    seen = asked(
        lambda: one.list(
            one.namespace, field_selector=f"metadata.name={one.name}", _request_timeout=ANSWER_SECONDS
        )
    )
    one.put(_texts(seen.items[0]) if seen.items else None)
    return (seen.metadata and seen.metadata.resource_version) or ""


def follow(one: Followed) -> None:
    """Write an object's files whenever it changes, for a while.

    Raises:
        KeysError: it cannot be had.
    """
    version = bring(one)

    def changes() -> None:
        events = watch.Watch().stream(  # type: ignore[no-untyped-call]
            one.list,
            one.namespace,
            field_selector=f"metadata.name={one.name}",
            resource_version=version,
            timeout_seconds=WATCH_SECONDS,
            _request_timeout=ANSWER_SECONDS,
        )
        for event in events:
            one.put(None if event["type"] == "DELETED" else _texts(event["object"]))

    asked(changes)


def _texts(found: "client.V1Secret | client.V1ConfigMap") -> Texts:
    """Return the files of an object.

    Raises:
        KeysError: Envoy would not take them.
    """
    data: Mapping[str, str | bytes] = found.data or {}
    if isinstance(found, client.V1ConfigMap):
        return {name: str(text) for name, text in data.items()}
    try:
        decoded = {name: base64.b64decode(text).decode() for name, text in data.items()}
    except ValueError:  # of base64 or of UTF-8; the error itself would show keys
        raise KeysError("is not text; the files stay as they are") from None
    texts = {KEYS_FILE: key_file(()), **decoded}
    try:
        caller_keys(texts[KEYS_FILE])
    except KeysError as error:
        raise KeysError(f"{KEYS_FILE} {error}; the files stay as they are") from None
    return texts


def _for_ever(one: Followed) -> None:
    while True:
        pause = RETRY_SECONDS
        try:
            follow(one)
            continue
        except RefusedError as error:
            if error.status == GONE:
                pause = ASK_ANEW_SECONDS
            else:
                one.complain(str(error))
        except (KeysError, OSError) as error:
            one.complain(str(error))
        except Exception as error:
            # Whatever a client library throws may hold what it read: only its kind is said.
            one.complain(type(error).__name__)
        time.sleep(random.uniform(pause / 2, pause))


def _once(one: Followed, deadline: float) -> None:
    while True:
        try:
            bring(one)
        except KeysError as error:
            if time.monotonic() > deadline:
                raise KeysError(f"{one.title}: {error}") from None
            one.complain(str(error))
            time.sleep(RETRY_SECONDS / 2)
        else:
            return


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until told to end, or once; return the exit code."""
    chosen = _chosen(arguments)
    try:
        api = connect_from_within()
        both = followed(api, chosen.namespace, chosen.secret, chosen.config_map, chosen.out)
        for one in both:
            one.folder.mkdir(parents=True, exist_ok=True)
        if chosen.once:
            for one in both:
                _once(one, time.monotonic() + START_SECONDS)
            return 0
    except (KeysError, OSError) as error:
        print(f"cannot start: {error}", file=sys.stderr)
        return 1
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    for one in both:
        threading.Thread(target=_for_ever, args=(one,), daemon=True).start()
    ended.wait()
    return 0


def _chosen(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.keys.sync", description=__doc__)
    parser.add_argument("--namespace", required=True, help="the gateway's namespace")
    parser.add_argument("--secret", required=True, help="the Secret that holds keys.json")
    parser.add_argument("--config-map", required=True, help="the ConfigMap that holds Envoy's files")
    parser.add_argument("--out", required=True, type=Path, help="the folder that gets keys/ and config/")
    parser.add_argument("--once", action="store_true", help="end when all files are there (init container)")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    # Threads that wait for the API server would hold up Python's own, orderly end.
    os._exit(main())
