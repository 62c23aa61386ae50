"""When keys were last used: the latest that any gateway tells, and never a failure."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path

from keys.answering import answering, kubeconfig

from infra.keys.cluster import connect
from infra.keys.gateways import cluster_last_used
from infra.keys.last_used import LAST_REQUEST, Running, last_used, machine_last_used, running

PODS = "/api/v1/namespaces/modelunits-dev/pods"


def series(seconds: int, client: str = "search.k00000001") -> str:
    """Return one line as Envoy writes it."""
    return f'{LAST_REQUEST}{{modelunits_stack="dev",modelunits_key="{client}"}} {seconds}\n'


def pod(name: str) -> dict[str, object]:
    """Return a gateway's pod, with Envoy as a sidecar."""
    ports = [{"name": "http", "containerPort": 8080}, {"name": "metrics", "containerPort": 9091}]
    return {
        "metadata": {"name": name},
        "spec": {
            "containers": [{"name": "sync"}],
            "initContainers": [{"name": "envoy", "ports": ports}],
        },
    }


def pods(*names: str) -> str:
    """Return what an API server answers to a question for gateways."""
    return json.dumps({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [*map(pod, names)]})


def test_the_latest_of_all_gateways_counts() -> None:
    """Each gateway knows of its own requests; other series and clients without a key are passed over."""
    first = f"# TYPE {LAST_REQUEST} gauge\n{series(100)}{series(300, 'vision.k00000002')}other 7\n"
    second = f"{series(200)}{series(999, '-')}"

    assert {
        "k00000001": datetime.fromtimestamp(200, UTC),
        "k00000002": datetime.fromtimestamp(300, UTC),
    } == last_used([first, second])


def test_the_gateway_of_this_machine_is_asked_where_it_says(tmp_path: Path) -> None:
    """The file names the address; without file, gateway or sense nothing is known."""
    with answering({"/stats/prometheus": series(100)}) as server:
        file = tmp_path / "serve.json"
        written = {"metrics": f"{server}/stats/prometheus", "base_url": "http://127.0.0.1:8080/v1", "pid": 7}
        file.write_text(json.dumps(written))
        gateway = running(file)

        assert {"k00000001": datetime.fromtimestamp(100, UTC)} == machine_last_used(gateway)

    assert {} == machine_last_used(gateway)
    assert {} == machine_last_used(Running(metrics="nonsense", base_url=""))
    file.write_text("{")
    assert running(file) is running(tmp_path / "none.json") is None


def test_gateways_in_a_cluster_are_asked_through_its_api_server(tmp_path: Path) -> None:
    """Every pod that runs, on its metrics port; one that does not answer takes nothing from the others."""
    answers = {
        PODS: pods("gateway-a", "gateway-b", "gateway-c"),
        f"{PODS}/gateway-a:9091/proxy/stats/prometheus": series(100),
        f"{PODS}/gateway-b:9091/proxy/stats/prometheus": series(200),
    }
    with answering(answers) as server:
        api = connect(None, kubeconfig(tmp_path / "config", server))

        assert {"k00000001": datetime.fromtimestamp(200, UTC)} == cluster_last_used(api, "dev")


def test_a_cluster_that_tells_nothing_fails_nothing(tmp_path: Path) -> None:
    """No rights, no answer: nothing is known, soon."""
    with answering({}) as server:
        api = connect(None, kubeconfig(tmp_path / "config", server))
        assert {} == cluster_last_used(api, "dev")

    began = time.monotonic()
    assert {} == cluster_last_used(api, "dev")
    assert time.monotonic() - began < 10
