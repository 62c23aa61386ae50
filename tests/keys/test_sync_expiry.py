"""A watch that the API server has forgotten: everything is asked anew, and nobody is told."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from keys.answering import answering, kubeconfig, listed, secret

from infra.render.gateway.keys import CallerKey, key_file

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


FIRST = key_file([CallerKey(id="k1", team="search", secret="mu-first")])
SECOND = key_file([CallerKey(id="k2", team="search", secret="mu-second")])


def test_a_forgotten_watch_begins_anew(tmp_path: Path) -> None:
    """What changed meanwhile arrives with the next list; the log has nothing to worry about."""
    answers = {
        f"{LISTS}/secrets": secret(FIRST),
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
            assert arrives(FIRST)
            answers[f"{LISTS}/secrets"] = secret(SECOND)
            assert arrives(SECOND)
        finally:
            run.terminate()
            _, log = run.communicate(timeout=10)
    told = [line for line in log.splitlines() if line.startswith("Secret")]
    # The last line may be cut off: the file is there before it is told.
    assert {"Secret modelunits-dev/gateway-keys: changed keys.json"} == set(told)
    assert "again" not in log
