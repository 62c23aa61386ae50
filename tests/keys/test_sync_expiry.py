"""A watch that the API server has forgotten: everything is asked anew, and nobody is told."""

import base64
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from keys.answering import answering, kubeconfig

LISTS = "/api/v1/namespaces/modelunits-dev"

FORGOTTEN = json.dumps(
    {
        "type": "ERROR",
        "object": {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "reason": "Expired",
            "message": "too old resource version: 1 (2)",
            "code": 410,
        },
    }
)


def listed(kind: str, data: dict[str, str]) -> str:
    """Return what an API server answers to a list of the one object."""
    item = {"metadata": {"name": "one"}, "data": data}
    return json.dumps(
        {"apiVersion": "v1", "kind": f"{kind}List", "metadata": {"resourceVersion": "1"}, "items": [item]}
    )


def secret(text: str) -> str:
    """Return a Secret with a text for keys."""
    return listed("Secret", {"keys.json": base64.b64encode(text.encode()).decode()})


def test_a_forgotten_watch_begins_anew(tmp_path: Path) -> None:
    """What changed meanwhile arrives with the next list; the log has nothing to worry about."""
    answers = {
        f"{LISTS}/secrets": secret("first"),
        f"{LISTS}/configmaps": listed("ConfigMap", {"routes.json": "{}"}),
        f"{LISTS}/secrets?watch": FORGOTTEN,
        f"{LISTS}/configmaps?watch": FORGOTTEN,
    }
    file = tmp_path / "keys" / "keys.json"

    def arrives(text: str) -> bool:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if file.exists() and file.read_text() == text:
                return True
            time.sleep(0.02)
        return False

    with answering(answers) as server:
        place = (
            "--namespace",
            "modelunits-dev",
            "--secret",
            "gateway-keys",
            "--config-map",
            "gateway-config",
        )
        run = subprocess.Popen(
            [sys.executable, "-m", "infra.keys.sync", *place, "--out", str(tmp_path)],
            env={**os.environ, "KUBECONFIG": str(kubeconfig(tmp_path / "config.yaml", server))},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert arrives("first")
            answers[f"{LISTS}/secrets"] = secret("second")
            assert arrives("second")
        finally:
            run.terminate()
            _, log = run.communicate(timeout=10)
    told = [line for line in log.splitlines() if line.startswith("Secret")]
    # The last line may be cut off: the file is there before it is told.
    assert {"Secret modelunits-dev/gateway-keys: changed keys.json"} == set(told)
    assert "again" not in log
