"""Files beside Envoy follow a real API server within two seconds, and through its absence."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from keys.relay import Relay
from local.running import LocalCluster

from infra.keys import contents
from infra.keys.book import Key
from infra.keys.cluster import connect
from infra.keys.contents import BOOK_FILE
from infra.keys.files import PREFIX
from infra.keys.secret import SecretStore
from infra.render.gateway.keys import KEYS_FILE
from infra.render.gateway_common import CONFIG_MAP, KEYS_SECRET

pytestmark = pytest.mark.cluster

STACK = "sync-trial"
NAMESPACE = f"modelunits-{STACK}"
CONFIG = {"bootstrap.json": "{}", "clusters.json": "[1]", "listeners.json": "[2]", "routes.json": "[3]"}

REVOKED_SECONDS = 2.0
"""What is promised of a revoked key."""

PATIENCE_SECONDS = 60.0

RIGHTS = [
    {"apiGroups": [""], "resources": [kind], "resourceNames": [name], "verbs": ["get", "list", "watch"]}
    for kind, name in (("secrets", KEYS_SECRET), ("configmaps", CONFIG_MAP))
]
"""All that the program's account may do."""


def secret_of(number: int) -> str:
    """Return what stands for a random secret, and is easy to look for."""
    return f"mu-{number:043d}"


@dataclass(frozen=True)
class Beside:
    """A namespace with a gateway's objects, and the program's own view of the cluster."""

    cluster: LocalCluster
    store: SecretStore
    relay: Relay
    kubeconfig: Path

    def create(self, number: int) -> str:
        """Create a key; return its id."""
        created = datetime(2026, 11, 21, 12, tzinfo=UTC)
        key = Key(id=f"k{number:08x}", team="search", description="batch jobs", created=created)
        self.store.change(lambda before: contents.with_key(before, key, secret_of(number), ("search",)))
        return key.id

    def configure(self, files: dict[str, str] | None) -> None:
        """Put Envoy's files into the ConfigMap, or delete it."""
        if files is None:
            self.cluster.kubectl("delete", "configmap", CONFIG_MAP, "-n", NAMESPACE, "--ignore-not-found")
        else:
            metadata = {"name": CONFIG_MAP, "namespace": NAMESPACE}
            self.cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files})

    def command(self, out: Path, *more: str) -> list[str]:
        """Return the program's command line."""
        place = (
            "--namespace",
            NAMESPACE,
            "--secret",
            KEYS_SECRET,
            "--config-map",
            CONFIG_MAP,
            "--out",
            str(out),
        )
        return [sys.executable, "-m", "infra.keys.sync", *place, *more]

    @contextmanager
    def running(self, out: Path) -> Iterator[Path]:
        """Run the program until the end; give its log."""
        log = out.with_name("sync.log")
        with log.open("w") as written:
            run = subprocess.Popen(self.command(out), stderr=written, stdout=written, env=self.environment)
            try:
                until(
                    lambda: (out / "keys" / KEYS_FILE).exists() and (out / "config" / "routes.json").exists()
                )
                yield log
                assert run.poll() is None, log.read_text()
            finally:
                run.terminate()
                assert 0 == run.wait(10)

    @property
    def environment(self) -> dict[str, str]:
        """Return the program's environment."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}


def until(what: Callable[[], bool], patience_seconds: float = PATIENCE_SECONDS) -> float:
    """Wait until something is so; return how long it took."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < patience_seconds
        time.sleep(0.01)
    return time.monotonic() - began


def secrets_in(out: Path) -> list[str]:
    """Return the keys that Envoy reads."""
    resource = json.loads((out / "keys" / KEYS_FILE).read_text())["resources"][0]
    return [one["key"] for one in resource["typed_config"]["credentials"]]


def config_in(out: Path) -> dict[str, str]:
    """Return Envoy's files."""
    files = [file for file in (out / "config").iterdir() if not file.name.startswith(PREFIX)]
    return {file.name: file.read_text() for file in files}


@pytest.fixture(scope="module")
def namespace(cluster: LocalCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Beside]:
    """A gateway's namespace, with an account that may do no more than the program needs."""
    account = {"name": "gateway", "namespace": NAMESPACE}
    rbac = "rbac.authorization.k8s.io"
    role = {"apiGroup": rbac, "kind": "Role", "name": "gateway"}
    subject = {"kind": "ServiceAccount", **account}
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    cluster.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": account, "rules": RIGHTS},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": account,
            "roleRef": role,
            "subjects": [subject],
        },
    )
    config = yaml.safe_load(cluster.folders.kubeconfig.read_text())
    server = config["clusters"][0]["cluster"]["server"]
    relay = Relay(int(server.rpartition(":")[2]))
    config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{relay.port}"
    config["users"][0]["user"] = {
        "token": cluster.kubectl("create", "token", "gateway", "-n", NAMESPACE).strip()
    }
    kubeconfig = tmp_path_factory.mktemp("sync") / "kubeconfig.yaml"
    kubeconfig.write_text(yaml.safe_dump(config))
    yield Beside(
        cluster=cluster,
        store=SecretStore(connect(None, cluster.folders.kubeconfig), STACK),
        relay=relay,
        kubeconfig=kubeconfig,
    )
    relay.close()
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture
def beside(namespace: Beside) -> Beside:
    """The gateway's namespace with its files and no Secret."""
    namespace.cluster.kubectl("delete", "secret", KEYS_SECRET, "-n", NAMESPACE, "--ignore-not-found")
    namespace.configure(CONFIG)
    return namespace


def test_the_files_are_there_before_envoy_starts(beside: Beside, tmp_path: Path) -> None:
    """An init container writes them once; no Secret yet means no keys."""
    done = subprocess.run(
        beside.command(tmp_path, "--once"),
        env=beside.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stdout), done.stderr
    assert CONFIG == config_in(tmp_path)
    assert [] == secrets_in(tmp_path)


def test_a_revoked_key_is_gone_within_two_seconds(beside: Beside, tmp_path: Path) -> None:
    """So is a new one there, and a deleted Secret means that no key works; no log line has a key."""
    first = beside.create(1)
    with beside.running(tmp_path) as log:
        assert [secret_of(1)] == secrets_in(tmp_path)

        beside.create(2)
        assert until(lambda: secret_of(2) in secrets_in(tmp_path)) < REVOKED_SECONDS
        beside.store.change(lambda before: contents.without_key(before, first))
        revoked = until(lambda: secret_of(1) not in secrets_in(tmp_path))
        beside.cluster.kubectl("delete", "secret", KEYS_SECRET, "-n", NAMESPACE)
        deleted = until(lambda: secrets_in(tmp_path) == [])

        assert revoked < REVOKED_SECONDS
        assert deleted < REVOKED_SECONDS
        assert not (tmp_path / "keys" / BOOK_FILE).exists()
        beside.create(3)
        until(lambda: secrets_in(tmp_path) == [secret_of(3)])
    assert "changed book.json, keys.json" in log.read_text()
    assert not [number for number in (1, 2, 3) if secret_of(number) in log.read_text()]


def test_a_new_configuration_arrives_and_a_deleted_one_stays(beside: Beside, tmp_path: Path) -> None:
    """Pulumi may replace the ConfigMap: while it is away, Envoy keeps what it has."""
    changed = {**CONFIG, "clusters.json": "[10]", "routes.json": "[30]"}
    with beside.running(tmp_path) as log:
        beside.configure(changed)
        until(lambda: config_in(tmp_path) == changed)
        beside.configure(None)
        until(lambda: "is missing; the files stay as they are" in log.read_text())
        assert changed == config_in(tmp_path)
        beside.configure(CONFIG)
        until(lambda: config_in(tmp_path) == CONFIG)


def test_an_api_server_that_was_away_is_caught_up_with(beside: Beside, tmp_path: Path) -> None:
    """While it is away the files stay; what changed meanwhile arrives when it is back."""
    first = beside.create(1)
    with beside.running(tmp_path) as log:
        beside.relay.cut()
        try:
            beside.store.change(lambda before: contents.without_key(before, first))
            until(lambda: log.read_text().count("the cluster does not answer") >= 2)
            assert [secret_of(1)] == secrets_in(tmp_path)
            assert CONFIG == config_in(tmp_path)
        finally:
            beside.relay.mend()
        until(lambda: secrets_in(tmp_path) == [])


def test_a_program_that_cannot_start_says_why(beside: Beside, tmp_path: Path) -> None:
    """One line, and an exit code that Kubernetes shows."""
    nowhere = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    for environment, message in (
        (nowhere, "cannot start: not in a pod ("),
        ({**nowhere, "KUBECONFIG": str(tmp_path / "none")}, "cannot start: cannot use the kubeconfig"),
    ):
        done = subprocess.run(
            beside.command(tmp_path), env=environment, capture_output=True, text=True, check=False
        )

        assert 1 == done.returncode
        assert done.stderr.startswith(message)
        assert 1 == done.stderr.count("\n")


def test_without_a_configuration_envoy_is_not_started(beside: Beside, tmp_path: Path) -> None:
    """The init container waits a while for the ConfigMap, then fails with what is missing."""
    beside.configure(None)
    program = "import sys, infra.keys.sync as sync; sync.START_SECONDS = 1; sys.exit(sync.main())"
    done = subprocess.run(
        [sys.executable, "-c", program, *beside.command(tmp_path, "--once")[3:]],
        env=beside.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert 1 == done.returncode
    missing = f"ConfigMap {NAMESPACE}/{CONFIG_MAP}: is missing; the files stay as they are"
    assert [f"{missing}; trying again", f"cannot start: {missing}"] == done.stderr.splitlines()
