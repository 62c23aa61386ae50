"""Keys in a Secret of a real API server: conflicts lose nothing, refusals read well, damage stays."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from local.running import LocalCluster

from infra.keys import contents
from infra.keys.book import KEYS_PER_TEAM, Key, KeysError, TooManyKeysError
from infra.keys.cluster import connect
from infra.keys.contents import BOOK_FILE, Contents
from infra.keys.secret import SecretStore
from infra.render.gateway.keys import KEYS_FILE
from infra.render.gateway_common import KEYS_SECRET

pytestmark = pytest.mark.cluster

STACK = "keys-trial"
NAMESPACE = f"modelunits-{STACK}"
TEAMS = ("search", "vision")
ROOT = Path(__file__).parents[2]

ENVIRONMENT = """
config:
  modelunits:environment:
    cluster: {context: modelunits-local}
    nodes: existing
    machines: {h100-8: {max: 1}}
    teams: {search: {}}
    gateway: {image: example}
"""


def secret_of(number: int) -> str:
    """Return what stands for a random secret, and is easy to look for."""
    return f"mu-{number:043d}"


def create(store: SecretStore, number: int, team: str = "search") -> str:
    """Keep a new key; return its id."""
    created = datetime(2026, 11, 21, 12, tzinfo=UTC)
    key = Key(id=f"k{number:08x}", team=team, description="batch jobs", created=created)
    store.change(lambda before: contents.with_key(before, key, secret_of(number), TEAMS))
    return key.id


@pytest.fixture(scope="module")
def namespace(cluster: LocalCluster) -> Iterator[str]:
    """The namespace of a gateway."""
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    yield NAMESPACE
    cluster.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


@pytest.fixture
def store(cluster: LocalCluster, namespace: str) -> SecretStore:
    """A store without a Secret yet."""
    cluster.kubectl("delete", "secret", KEYS_SECRET, "-n", namespace, "--ignore-not-found")
    return SecretStore(connect(None, cluster.folders.kubeconfig), STACK)


def data_of(cluster: LocalCluster) -> dict[str, str]:
    """Return what is in the Secret."""
    found = json.loads(cluster.kubectl("get", "secret", KEYS_SECRET, "-n", NAMESPACE, "-o", "json"))
    return {name: base64.b64decode(text).decode() for name, text in found["data"].items()}


def test_the_first_key_makes_the_secret(cluster: LocalCluster, store: SecretStore) -> None:
    """Nothing is there before it; then the book without and the gateway's file with the key."""
    assert Contents() == store.read()

    key_id = create(store, 1)

    data = data_of(cluster)
    assert {BOOK_FILE, KEYS_FILE} == set(data)
    assert secret_of(1) not in data[BOOK_FILE]
    (resource,) = json.loads(data[KEYS_FILE])["resources"]
    expected = [{"key": secret_of(1), "client": f"search.{key_id}"}]
    assert expected == resource["typed_config"]["credentials"]
    assert (key_id,) == store.read().book.ids


def test_what_others_keep_in_the_secret_stays(cluster: LocalCluster, store: SecretStore) -> None:
    """Labels and data that are not ours survive a change."""
    create(store, 1)
    cluster.kubectl("label", "secret", KEYS_SECRET, "-n", NAMESPACE, "backup=nightly")
    cluster.kubectl(
        "patch", "secret", KEYS_SECRET, "-n", NAMESPACE, "-p", json.dumps({"stringData": {"notes": "ours"}})
    )

    create(store, 2)

    assert "ours" == data_of(cluster)["notes"]
    assert "nightly" in cluster.kubectl("get", "secret", KEYS_SECRET, "-n", NAMESPACE, "--show-labels")


def test_changes_at_the_same_moment_are_all_kept(store: SecretStore, cluster: LocalCluster) -> None:
    """Eight people create at once, the first of them also the Secret; the sixth key of a team is refused."""

    def one(number: int) -> str:
        own = SecretStore(connect(None, cluster.folders.kubeconfig), STACK)
        try:
            return create(own, number)
        except TooManyKeysError:
            return "refused"

    with ThreadPoolExecutor(8) as people:
        made = list(people.map(one, range(8)))

    assert 8 - KEYS_PER_TEAM == made.count("refused")
    assert {key_id for key_id in made if key_id != "refused"} == set(store.read().book.ids)


def test_a_change_in_between_is_seen_before_it_is_overwritten(store: SecretStore) -> None:
    """A key that was created while another one was being revoked lives on; who decides is asked again."""
    first = create(store, 1)
    asked: list[tuple[str, ...]] = []

    def revoke(before: Contents) -> Contents:
        asked.append(before.book.ids)
        if len(asked) == 1:
            create(store, 2)
        return contents.without_key(before, first)

    store.change(revoke)

    assert [("k00000001",), ("k00000001", "k00000002")] == asked
    assert ("k00000002",) == store.read().book.ids


def test_a_secret_that_is_deleted_meanwhile_does_not_come_back(
    cluster: LocalCluster, store: SecretStore
) -> None:
    """Deleting it revoked every key; a change that began before makes a new one with its own key alone."""
    create(store, 1)
    deleted: list[bool] = []

    def decide(before: Contents) -> Contents:
        if not deleted:
            cluster.kubectl("delete", "secret", KEYS_SECRET, "-n", NAMESPACE)
            deleted.append(True)
        created = datetime(2026, 11, 21, 12, tzinfo=UTC)
        key = Key(id="k00000002", team="search", description="batch jobs", created=created)
        return contents.with_key(before, key, secret_of(2), TEAMS)

    store.change(decide)

    assert ("k00000002",) == store.read().book.ids


def test_without_the_gateway_there_is_nowhere_to_keep_keys(store: SecretStore) -> None:
    """No namespace: deploy first. Nothing is listed meanwhile, and that is no error."""
    elsewhere = replace(store, stack="not-deployed")

    assert Contents() == elsewhere.read()
    with pytest.raises(
        KeysError,
        match="the cluster has no namespace modelunits-not-deployed: deploy the gateway first, "
        "`pulumi up --stack not-deployed`",
    ):
        create(elsewhere, 1)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (KEYS_FILE, None, "keys.json is missing, and the book has keys"),
        (KEYS_FILE, "{}", "keys.json is not a file of keys"),
        (BOOK_FILE, "{}{", "book.json Invalid JSON"),
        (BOOK_FILE, None, "book.json does not have, or not for the same team: k00000001"),
    ],
)
def test_a_damaged_secret_stays_as_it_is(
    cluster: LocalCluster, store: SecretStore, name: str, text: str | None, message: str
) -> None:
    """It is named with what is wrong, never with a key, and no change writes over it."""
    create(store, 1)
    encoded = None if text is None else base64.b64encode(text.encode()).decode()
    cluster.kubectl(
        "patch", "secret", KEYS_SECRET, "-n", NAMESPACE, "-p", json.dumps({"data": {name: encoded}})
    )
    before = data_of(cluster)

    for doing in (store.read, lambda: create(store, 2)):
        with pytest.raises(KeysError, match=f"Secret {NAMESPACE}/{KEYS_SECRET}: {message}") as refused:
            doing()
        assert secret_of(1) not in str(refused.value)

    assert before == data_of(cluster)


def test_who_may_not_read_secrets_is_told_so(
    cluster: LocalCluster, store: SecretStore, tmp_path: Path
) -> None:
    """One line that says who may not do what, or that nobody is logged in."""
    create(store, 1)
    cluster.kubectl("create", "serviceaccount", "guest", "-n", NAMESPACE)
    token = cluster.kubectl("create", "token", "guest", "-n", NAMESPACE).strip()
    config = yaml.safe_load(cluster.folders.kubeconfig.read_text())

    def told(token: str) -> str:
        config["users"][0]["user"] = {"token": token}
        file = tmp_path / "kubeconfig.yaml"
        file.write_text(yaml.safe_dump(config))
        with pytest.raises(KeysError) as refused:
            SecretStore(connect(None, file), STACK).read()
        return str(refused.value)

    assert (
        'the cluster refuses: secrets "gateway-keys" is forbidden: User '
        f'"system:serviceaccount:{NAMESPACE}:guest" cannot get resource "secrets" in API group "" in the '
        f'namespace "{NAMESPACE}"'
    ) == told(token)
    assert "the cluster does not know who asks: log in again (401 Unauthorized)" == told("nobody")


def test_a_cluster_that_does_not_answer(cluster: LocalCluster, tmp_path: Path) -> None:
    """One line, whatever the client library had to say."""
    config = yaml.safe_load(cluster.folders.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:9"
    file = tmp_path / "kubeconfig.yaml"
    file.write_text(yaml.safe_dump(config))

    with pytest.raises(KeysError, match=r"^the cluster does not answer: .*127\.0\.0\.1.*[^\n]$"):
        SecretStore(connect(None, file), STACK).read()
    with pytest.raises(KeysError, match=r"^cannot use the kubeconfig context elsewhere: .*[^\n]$"):
        connect("elsewhere", file)


def test_the_rights_that_the_page_names_are_enough(
    cluster: LocalCluster, store: SecretStore, tmp_path: Path
) -> None:
    """Who has the role of docs/how-to/manage-keys.md, and no other, creates, lists and revokes."""
    page = (ROOT / "docs" / "how-to" / "manage-keys.md").read_text()
    role = yaml.safe_load(page.partition("```yaml\n")[2].partition("```")[0])
    account = {"name": "keeper", "namespace": NAMESPACE}
    role["metadata"] = account
    cluster.apply(
        role,
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {
            "apiVersion": role["apiVersion"],
            "kind": "RoleBinding",
            "metadata": account,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "keeper"},
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
    )
    config = yaml.safe_load(cluster.folders.kubeconfig.read_text())
    token = cluster.kubectl("create", "token", "keeper", "-n", NAMESPACE).strip()
    config["users"][0]["user"] = {"token": token}
    (tmp_path / "kubeconfig.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "Pulumi.yaml").write_text("name: trial\nruntime: python\n")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / f"Pulumi.{STACK}.yaml").write_text(ENVIRONMENT)

    def keys(*arguments: str) -> str:
        program = "from infra.cli.main import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", program, "keys", *arguments, "--root", str(tmp_path)],
            env={**os.environ, "KUBECONFIG": str(tmp_path / "kubeconfig.yaml")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert 0 == done.returncode, done.stderr
        return done.stdout

    made = json.loads(keys("create", STACK, "--team", "search", "--description", "batch", "--format", "json"))
    listed = json.loads(keys("list", STACK, "--format", "json"))
    keys("revoke", STACK, made["id"])

    assert f"http://gateway.{NAMESPACE}.svc/v1" == made["base_url"]
    assert [made["id"]] == [one["id"] for one in listed]
    assert f"{STACK} has no keys in the cluster\n" == keys("list", STACK)
