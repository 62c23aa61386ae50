"""What Kubernetes objects go through, under the real engine and a real API server.

Every test here runs through the stand-in, and again through the official provider where that is installed:
both have to behave the same on what our program uses.
"""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from infra.local.folders import folders
from infra.local.toolchain import search_path, user_pulumi_home
from local.running import LocalCluster, eventually
from local.tiny_project import TinyProject, given

pytestmark = pytest.mark.cluster

OFFICIAL = "pulumi-resource-kubernetes"
ANY_NODE: list[object] = [{"operator": "Exists"}]
_numbers = count()


class Deployed(TinyProject):
    """A project with a namespace of its own in the test cluster."""

    def __init__(self, root: Path, cluster: LocalCluster) -> None:
        super().__init__(root, cluster.environment)
        self.cluster = cluster
        self.namespace = f"tiny-{os.getpid()}-{next(_numbers)}"
        self.provider(kubeconfig=cluster.environment["KUBECONFIG"])
        self.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})

    def manifest(
        self,
        api_version: str,
        kind: str,
        name: str,
        annotations: dict[str, str] | None = None,
        **rest: object,
    ) -> dict[str, object]:
        """Return an object in the project's namespace."""
        metadata: dict[str, object] = {"name": name, "namespace": self.namespace}
        if annotations:
            metadata["annotations"] = annotations
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}

    def config_map(self, name: str, **data: str) -> dict[str, object]:
        """Return a ConfigMap."""
        return self.manifest("v1", "ConfigMap", name, data=data)

    def deployment(
        self,
        name: str,
        replicas: int | None = 1,
        labels: dict[str, str] | None = None,
        node_selector: dict[str, str] | None = None,
        annotations: dict[str, str] | None = None,
        **container: object,
    ) -> dict[str, object]:
        """Return a Deployment of small pods that any node takes."""
        chosen = labels or {"app": name}
        pod = {
            "tolerations": ANY_NODE,
            "nodeSelector": node_selector or {},
            "containers": [{"name": "engine", "image": "engine:1", **container}],
        }
        template = {"metadata": {"labels": chosen}, "spec": pod}
        counted = {} if replicas is None else {"replicas": replicas}
        spec = {**counted, "selector": {"matchLabels": chosen}, "template": template}
        return self.manifest("apps/v1", "Deployment", name, annotations, spec=spec)

    def live(self, kind: str, name: str) -> dict[str, object]:
        """Return an object as the API server has it."""
        found: dict[str, object] = json.loads(
            self.cluster.kubectl(
                "get", kind, name, "-n", self.namespace, "-o", "json", "--show-managed-fields"
            )
        )
        return found

    def value(self, kind: str, name: str, path: str) -> str:
        """Return a value of an object by its JSON path."""
        return self.cluster.kubectl("get", kind, name, "-n", self.namespace, "-o", f"jsonpath={{{path}}}")

    def names(self, kind: str) -> list[str]:
        """Return the names of the objects of a kind in the project's namespace."""
        return self.cluster.kubectl("get", kind, "-n", self.namespace, "-o", "name").split()

    def patch(self, kind: str, name: str, patch: object, manager: str, *options: str) -> None:
        """Change an object by hand, as someone."""
        written = json.dumps(patch)
        self.cluster.kubectl(
            "patch", kind, name, "-n", self.namespace, "--type=merge", "-p", written,
            f"--field-manager={manager}", *options,
        )  # fmt: skip


@pytest.fixture(params=["stand-in", "official"])
def project(request: pytest.FixtureRequest, cluster: LocalCluster, tmp_path: Path) -> Iterator[Deployed]:
    """Return a project that uses the stand-in, and one with the official provider where it is installed."""
    if request.param == "official" and not _official(cluster):
        pytest.skip("the official Kubernetes provider is not installed")
    made = Deployed(tmp_path, cluster)
    if request.param == "stand-in":
        made.use_stand_ins()
    made.init()
    yield made
    made.pulumi("cancel", "--yes")
    made.pulumi("destroy", "--yes", "--skip-preview")
    cluster.kubectl("delete", "namespace", made.namespace, "--wait=false", "--ignore-not-found")


def _official(cluster: LocalCluster) -> bool:
    home = user_pulumi_home(cluster.folders)
    plugin = home / "plugins" / "resource-kubernetes-v4.34.2" / OFFICIAL if home else None
    on_path = shutil.which(OFFICIAL, path=search_path(folders(Path(__file__).parents[2])))
    return bool(on_path) or bool(plugin and plugin.exists())


def test_what_was_deployed_needs_nothing_more(project: Deployed) -> None:
    """A second preview is empty, also when it reads the cluster, however values are written."""
    resources = {"requests": {"cpu": "100m", "memory": "0.5Gi"}, "limits": {"memory": "1024Mi"}}
    service = project.manifest(
        "v1", "Service", "web", spec={"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8000}]}
    )
    quota = project.manifest(
        "v1", "ResourceQuota", "team", spec={"hard": {"pods": 100, "requests.cpu": "4000m"}}
    )
    policy = project.manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "deny",
        spec={"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []},
    )
    budget = project.manifest(
        "policy/v1",
        "PodDisruptionBudget",
        "web",
        spec={"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}},
    )
    monitor = project.manifest(
        "monitoring.coreos.com/v1",
        "PodMonitor",
        "web",
        spec={"selector": {}, "podMetricsEndpoints": [{"port": "http"}]},
    )
    web = project.deployment("web", replicas=2, resources=resources, env=[{"name": "EMPTY", "value": ""}])
    project.objects(
        {
            "web": web,
            "service": service,
            "quota": quota,
            "policy": policy,
            "budget": budget,
            "monitor": monitor,
            "settings": project.manifest(
                "v1", "ConfigMap", "settings", data={"a": "1", "empty": ""}, binaryData={}
            ),
            "account": project.manifest("v1", "ServiceAccount", "engine", automountServiceAccountToken=False),
        }
    )
    project.deployed()

    assert project.value("deployment", "web", ".status.readyReplicas") == "2"
    assert project.planned() == {}
    assert project.planned("--refresh") == {}


def test_a_resource_is_known_by_its_namespace_and_name(project: Deployed) -> None:
    """The id in the state is what people would look for."""
    project.objects({"settings": project.config_map("settings", a="1")})
    project.deployed()
    resources = json.loads(project.pulumi("stack", "export").output)["deployment"]["resources"]
    ids = [r["id"] for r in resources if r["type"] == "kubernetes:core/v1:ConfigMap"]

    assert [f"{project.namespace}/settings"] == ids


def test_a_preview_changes_nothing(project: Deployed) -> None:
    """What would be created is not there; what would be updated is as it was."""
    project.objects({"web": project.deployment("web", args=["--old"])})
    project.deployed()
    project.objects(
        {"web": project.deployment("web", args=["--new"]), "settings": project.config_map("settings", a="1")}
    )

    assert project.planned() == {"web": "update", "settings": "create"}
    assert project.value("deployment", "web", ".spec.template.spec.containers[0].args") == '["--old"]'
    assert "configmap/settings" not in project.names("configmap")


def test_a_preview_shows_what_the_api_server_refuses(project: Deployed) -> None:
    """A mistake in a manifest is found before anything is deployed."""
    project.objects({"web": project.deployment("web", ports=[{"containerPort": 99999}])})
    done = project.pulumi("preview")

    assert done.code != 0
    assert "must be between 1 and 65535" in done.output


def test_an_update_names_only_the_fields_that_change(project: Deployed) -> None:
    """Fields that the API server or its controllers filled in are no changes."""
    project.objects({"web": project.deployment("web", replicas=1, args=["--a", "--b"])})
    project.deployed()
    project.objects({"web": project.deployment("web", replicas=2, args=["--a", "--c", "--d"])})
    fields = project.changed_fields("web")
    project.deployed()

    container = "spec.template.spec.containers[0]"
    assert {"spec.replicas", f"{container}.args[1]", f"{container}.args[2]"} == fields
    assert project.value("deployment", "web", ".spec.replicas") == "2"
    assert project.planned("--refresh") == {}


def test_a_field_that_leaves_the_program_leaves_the_object(project: Deployed) -> None:
    """Also one that came with the creation, which was no apply."""
    account = project.manifest("v1", "ServiceAccount", "engine", {"note": "old"})
    project.objects({"account": account})
    project.deployed()
    project.objects({"account": project.manifest("v1", "ServiceAccount", "engine", {"other": "new"})})
    project.deployed()

    assert project.value("serviceaccount", "engine", ".metadata.annotations") == '{"other":"new"}'


def test_what_others_added_stays(project: Deployed) -> None:
    """An update touches nothing that the program does not say."""
    project.objects({"web": project.deployment("web")})
    project.deployed()
    project.patch("deployment", "web", {"metadata": {"labels": {"seen-by": "someone"}}}, "someone")
    project.objects({"web": project.deployment("web", args=["--new"])})
    project.deployed()

    assert project.value("deployment", "web", ".metadata.labels.seen-by") == "someone"


def test_an_immutable_field_replaces_the_object(project: Deployed) -> None:
    """A Deployment with another selector is another one; the old one goes first, as it has the name."""
    project.objects({"web": project.deployment("web")})
    project.deployed()
    before = project.value("deployment", "web", ".metadata.uid")
    project.objects({"web": project.deployment("web", labels={"app": "web", "version": "2"})})
    planned = project.planned()
    project.deployed()

    assert {name: op for name, op in planned.items() if op == "replace"} == {"web": "replace"}
    assert before != project.value("deployment", "web", ".metadata.uid")
    assert project.names("deployment") == ["deployment.apps/web"]


def test_changed_data_of_a_config_map_replaces_it(project: Deployed) -> None:
    """As the official provider does by default."""
    project.objects({"settings": project.config_map("settings", a="1")})
    project.deployed()
    before = project.value("configmap", "settings", ".metadata.uid")
    project.objects({"settings": project.config_map("settings", a="2")})
    project.deployed()

    assert before != project.value("configmap", "settings", ".metadata.uid")
    assert project.value("configmap", "settings", ".data.a") == "2"


def test_another_name_makes_the_new_object_before_the_old_one_goes(project: Deployed) -> None:
    """Renaming leaves one object."""
    project.objects({"settings": project.config_map("before", a="1")})
    project.deployed()
    project.objects({"settings": project.config_map("after", a="1")})
    project.deployed()

    assert sorted(project.names("configmap")) == ["configmap/after", "configmap/kube-root-ca.crt"]


def test_a_change_that_the_api_server_never_takes_fails_and_names_the_field(project: Deployed) -> None:
    """Fields that are immutable without the provider knowing are not replaced behind anyone's back."""
    project.objects({"web": project.manifest("v1", "Service", "web", spec=_headless("None"))})
    project.deployed()
    before = project.value("service", "web", ".metadata.uid")
    project.objects(
        {"web": project.manifest("v1", "Service", "web", spec={**_headless("None"), "type": "?"})}
    )
    done = project.pulumi("preview")

    assert done.code != 0
    assert "spec.type" in done.output
    assert before == project.value("service", "web", ".metadata.uid")


def _headless(cluster_ip: str) -> dict[str, object]:
    return {"clusterIP": cluster_ip, "selector": {"app": "web"}, "ports": [{"port": 80}]}


def test_drift_made_by_hand_is_found_and_mended(project: Deployed) -> None:
    """A refresh sees what someone changed with kubectl, and a deployment changes it back."""
    project.objects({"web": project.deployment("web", replicas=1)})
    project.deployed()
    project.patch("deployment", "web", {"spec": {"replicas": 2}}, "kubectl-edit")
    eventually(lambda: project.value("deployment", "web", ".status.readyReplicas"), "2")

    assert project.planned() == {}
    assert project.planned("--refresh") == {"web": "update"}

    project.deployed("--refresh")

    assert project.value("deployment", "web", ".spec.replicas") == "1"
    assert project.planned("--refresh") == {}


def test_an_object_deleted_by_hand_is_made_again(project: Deployed) -> None:
    """A refresh forgets what is gone."""
    project.objects({"settings": project.config_map("settings", a="1")})
    project.deployed()
    project.cluster.kubectl("delete", "configmap", "settings", "-n", project.namespace)
    project.deployed("--refresh")

    assert project.value("configmap", "settings", ".data.a") == "1"


def test_replicas_that_the_program_leaves_out_are_the_autoscaler_s(project: Deployed) -> None:
    """Neither a refresh nor a change of something else touches them."""
    project.objects({"web": project.deployment("web", replicas=None)})
    project.deployed()
    project.patch(
        "deployment", "web", {"spec": {"replicas": 3}}, "kube-controller-manager", "--subresource=scale"
    )
    eventually(lambda: project.value("deployment", "web", ".status.readyReplicas"), "3")

    assert project.planned("--refresh") == {}

    project.objects({"web": project.deployment("web", replicas=None, args=["--new"])})
    project.deployed("--refresh")

    assert project.value("deployment", "web", ".spec.replicas") == "3"
    assert project.value("deployment", "web", ".spec.template.spec.containers[0].args") == '["--new"]'


def test_a_deployment_of_no_replicas_is_complete(project: Deployed) -> None:
    """A sleeping endpoint is waited for no longer than a running one."""
    project.objects({"web": project.deployment("web", replicas=0)})
    project.deployed()

    assert project.planned("--refresh") == {}


def test_a_conflict_with_another_manager_fails_the_update(project: Deployed) -> None:
    """A field that someone else has set is not taken away silently; an annotation takes it."""
    project.objects({"web": project.deployment("web", replicas=1)})
    project.deployed()
    project.patch("deployment", "web", {"spec": {"replicas": 2}}, "someone")
    project.objects({"web": project.deployment("web", replicas=3)})
    done = project.up()

    assert done.code != 0
    assert 'conflict with "someone"' in done.output
    assert project.value("deployment", "web", ".spec.replicas") == "2"

    force = {"pulumi.com/patchForce": "true"}
    project.objects({"web": project.deployment("web", replicas=3, annotations=force)})
    project.deployed()

    assert project.value("deployment", "web", ".spec.replicas") == "3"


def test_ignored_fields_stay_as_they_are(project: Deployed) -> None:
    """Adding an autoscaler later: what it has set stays, though the program still says a number."""
    project.objects({"web": project.deployment("web", replicas=1)})
    project.deployed()
    project.patch("deployment", "web", {"spec": {"replicas": 2}}, "autoscaler", "--subresource=scale")
    changed = project.deployment("web", replicas=1, args=["--new"])
    project.objects({"web": given(changed, ignore_changes=["spec.replicas"])})
    project.deployed("--refresh")

    assert project.value("deployment", "web", ".spec.replicas") == "2"
    assert project.value("deployment", "web", ".spec.template.spec.containers[0].args") == '["--new"]'
    assert project.planned("--refresh") == {}


def test_an_existing_object_is_not_taken_over(project: Deployed) -> None:
    """Creating what is there already fails; it belongs to someone."""
    project.cluster.apply(project.config_map("settings", a="theirs"))
    project.objects({"settings": project.config_map("settings", a="ours")})
    done = project.up()

    assert done.code != 0
    assert 'configmaps "settings" already exists' in done.output
    assert project.value("configmap", "settings", ".data.a") == "theirs"


def test_an_existing_object_is_taken_over_where_the_provider_says_so(project: Deployed) -> None:
    """upsertExistingObjects applies over what is there, and may have to force."""
    project.cluster.apply(project.config_map("settings", a="same", b="theirs"))
    project.provider(kubeconfig=project.cluster.environment["KUBECONFIG"], upsert_existing_objects=True)
    project.objects({"settings": project.config_map("settings", a="same")})
    project.deployed()

    assert json.loads(project.value("configmap", "settings", ".data")) == {"a": "same", "b": "theirs"}


def test_objects_of_a_namespace_made_in_the_same_update_follow_it(project: Deployed) -> None:
    """Its preview cannot ask the API server, and goes on."""
    inner = f"{project.namespace}-inner"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": inner}}
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings", "namespace": inner},
        "data": {"a": "1"},
    }
    project.objects({"namespace": namespace, "settings": given(settings, depends_on=["namespace"])})

    assert {name: op for name, op in project.planned().items() if name != "tiny-test"} == {
        "namespace": "create",
        "settings": "create",
        "cluster": "create",
    }

    project.deployed()
    assert project.planned("--refresh") == {}
    assert project.pulumi("destroy", "--yes", "--skip-preview").code == 0
    assert project.cluster.kubectl("get", "namespace", inner, "--ignore-not-found") == ""


def test_a_custom_resource_is_previewed_before_its_definition_exists(project: Deployed) -> None:
    """A kind that the API server does not know yet may come in the same update."""
    unknown = project.manifest("not-yet.example.com/v1", "Thing", "a", spec={"size": 1})
    project.objects({"thing": unknown})

    assert project.planned()["thing"] == "create"


def test_a_custom_resource_is_updated_in_place(project: Deployed) -> None:
    """Numbers stay whole and lists are compared entry by entry."""

    def scaled(cooldown: int) -> dict[str, object]:
        return project.manifest(
            "keda.sh/v1alpha1",
            "ScaledObject",
            "web",
            spec={
                "scaleTargetRef": {"name": "web"},
                "minReplicaCount": 2,
                "maxReplicaCount": 8,
                "cooldownPeriod": cooldown,
                "triggers": [{"type": "cron", "metadata": _always("2")}],
            },
        )

    web = project.deployment("web", replicas=None)
    project.objects({"web": web, "scaled": scaled(60)})
    project.deployed()
    project.objects({"web": web, "scaled": scaled(120)})

    assert {"spec.cooldownPeriod"} == project.changed_fields("scaled")

    project.deployed()

    assert project.value("scaledobject", "web", ".spec.cooldownPeriod") == "120"
    assert project.planned("--refresh") == {}


def _always(replicas: str) -> dict[str, str]:
    return {"timezone": "UTC", "start": "0 0 * * *", "end": "59 23 * * *", "desiredReplicas": replicas}


NOWHERE = {"no-such": "node"}


def test_an_update_waits_until_a_deployment_is_available(project: Deployed) -> None:
    """When time runs out it fails, says why, and still knows the object."""
    limit = {"pulumi.com/timeoutSeconds": "5"}
    project.objects({"web": project.deployment("web", node_selector=NOWHERE, annotations=limit)})
    done = project.up()

    assert done.code != 0
    assert project.names("deployment") == ["deployment.apps/web"]

    project.objects({"web": project.deployment("web", annotations={"pulumi.com/timeoutSeconds": "120"})})
    project.deployed()

    assert project.planned("--refresh") == {}


def test_a_resource_s_own_timeout_comes_first(project: Deployed) -> None:
    """Custom timeouts of the program beat the annotation."""
    web = project.deployment("web", node_selector=NOWHERE, annotations={"pulumi.com/timeoutSeconds": "3600"})
    project.objects({"web": given(web, custom_timeouts={"create": "5s"})})

    assert project.up().code != 0


def test_nobody_waits_for_what_skips_await(project: Deployed) -> None:
    """An object is done when it is created."""
    skip = {"pulumi.com/skipAwait": "true"}
    web = project.deployment("web", node_selector=NOWHERE, annotations=skip)
    service = project.manifest(
        "v1", "Service", "web", skip, spec={"selector": {"app": "web"}, "ports": [{"port": 80}]}
    )
    project.objects({"web": web, "service": service})
    project.deployed()

    assert project.planned("--refresh") == {}


def test_an_update_waits_for_a_service_to_have_pods(project: Deployed) -> None:
    """A headless one, or one that leads elsewhere, is ready at once."""
    limit = {"pulumi.com/timeoutSeconds": "5"}
    ports = [{"port": 80}]
    headless = project.manifest("v1", "Service", "headless", limit, spec=_headless("None"))
    elsewhere = project.manifest(
        "v1", "Service", "elsewhere", limit, spec={"type": "ExternalName", "externalName": "example.com"}
    )
    project.objects({"headless": headless, "elsewhere": elsewhere})
    project.deployed()
    lonely = project.manifest("v1", "Service", "lonely", limit, spec={"selector": {"a": "b"}, "ports": ports})
    project.objects({"headless": headless, "elsewhere": elsewhere, "lonely": lonely})

    assert project.up().code != 0


@pytest.mark.parametrize(
    "condition",
    [
        "jsonpath={.metadata.labels.weights}=loaded",
        "jsonpath={.metadata.labels['weights']}",
        '["jsonpath={.metadata.labels.weights}=loaded", "jsonpath={.spec.podMetricsEndpoints[0].port}=http"]',
    ],
)
def test_an_update_waits_for_what_an_annotation_says(project: Deployed, condition: str) -> None:
    """Also for custom resources, which nobody waits for otherwise."""
    monitor = project.manifest(
        "monitoring.coreos.com/v1",
        "PodMonitor",
        "web",
        {"pulumi.com/waitFor": condition},
        spec={"selector": {}, "podMetricsEndpoints": [{"port": "http"}]},
    )
    project.objects({"monitor": monitor})
    running = project.start("up", "--yes", "--skip-preview")
    eventually(lambda: project.names("podmonitor"), ["podmonitor.monitoring.coreos.com/web"])

    assert running.poll() is None

    project.patch("podmonitor", "web", {"metadata": {"labels": {"weights": "loaded"}}}, "someone")

    assert running.wait(180) == 0
    assert project.planned("--refresh") == {}


def test_an_update_waits_for_a_condition(project: Deployed) -> None:
    """Conditions of any kind can be waited for; without one the time runs out."""
    wait = {"pulumi.com/waitFor": "condition=Available", "pulumi.com/timeoutSeconds": "120"}
    project.objects({"web": project.deployment("web", annotations=wait)})
    project.deployed()
    never = {"pulumi.com/waitFor": "condition=Never", "pulumi.com/timeoutSeconds": "5"}
    project.objects({"web": project.deployment("web", annotations=never)})

    assert project.up().code != 0


def test_secrets_are_encrypted_wherever_the_state_keeps_them(project: Deployed) -> None:
    """Not in the inputs, not in the live object, not in what the provider keeps beside."""
    secret = project.manifest("v1", "Secret", "token", stringData={"token": "hush-hush"})
    settings = project.config_map("settings", token="hush-hush")
    project.objects(
        {"secret": given(secret, secret="stringData"), "settings": given(settings, secret="data")}
    )
    project.deployed()
    state = project.pulumi("stack", "export").output

    assert "hush-hush" not in state
    assert "aHVzaC1odXNo" not in state
    assert project.value("secret", "token", ".data.token") == "aHVzaC1odXNo"
    assert project.planned() == {}


def test_an_update_that_was_killed_can_be_finished(project: Deployed) -> None:
    """What it made and could not write down is taken over where the provider may."""
    settings = {"kubeconfig": project.cluster.environment["KUBECONFIG"], "upsert_existing_objects": True}
    project.provider(**settings)
    project.objects({"web": project.deployment("web", node_selector={project.namespace: "yes"})})
    running = project.start("up", "--yes", "--skip-preview")
    eventually(lambda: project.names("deployment"), ["deployment.apps/web"])
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert project.pulumi("cancel", "--yes").code == 0
    refreshed = project.pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates")
    assert refreshed.code == 0, refreshed.output

    project.cluster.kubectl("label", "node", "system", f"{project.namespace}=yes")
    project.deployed()

    assert project.value("deployment", "web", ".status.readyReplicas") == "1"
    assert project.planned("--refresh") == {}


def test_an_interrupted_update_keeps_what_it_made(project: Deployed) -> None:
    """Waiting ends soon, and the object is in the state."""
    project.objects({"web": project.deployment("web", node_selector=NOWHERE)})
    running = project.start("up", "--yes", "--skip-preview")
    eventually(lambda: project.names("deployment"), ["deployment.apps/web"])
    running.send_signal(signal.SIGINT)
    running.wait(180)
    state = json.loads(project.pulumi("stack", "export").output)["deployment"]

    assert f"{project.namespace}/web" in [resource.get("id") for resource in state["resources"]]


def test_destroy_leaves_nothing(project: Deployed) -> None:
    """Pods are gone too, not just what owns them."""
    project.objects(
        {"web": project.deployment("web", replicas=2), "settings": project.config_map("s", a="1")}
    )
    project.deployed()
    done = project.pulumi("destroy", "--yes", "--skip-preview")

    assert done.code == 0, done.output
    assert project.names("deployment,replicaset,pod") == []
    assert project.names("configmap") == ["configmap/kube-root-ca.crt"]


def test_destroying_what_is_gone_already_is_no_error(project: Deployed) -> None:
    """Someone was faster."""
    project.objects({"settings": project.config_map("settings", a="1")})
    project.deployed()
    project.cluster.kubectl("delete", "configmap", "settings", "-n", project.namespace)
    done = project.pulumi("destroy", "--yes", "--skip-preview")

    assert done.code == 0, done.output


def test_a_preview_needs_no_cluster(project: Deployed) -> None:
    """It goes by the inputs alone, and says so; an update fails."""
    project.objects({"web": project.deployment("web", args=["--old"])})
    project.deployed()
    reachable = project.environment["KUBECONFIG"]
    elsewhere = project.root / "unreachable.yaml"
    elsewhere.write_text(_moved(Path(reachable).read_text()))
    project.provider(kubeconfig=str(elsewhere))
    project.objects(
        {"web": project.deployment("web", args=["--new"]), "settings": project.config_map("settings", a="1")}
    )
    planned = project.planned()

    assert (planned["web"], planned["settings"]) == ("update", "create")
    done = project.up()
    assert done.code != 0
    assert "unreachable" in done.output
    project.provider(kubeconfig=reachable)


def _moved(kubeconfig: str) -> str:
    """Return a kubeconfig whose API server does not answer: nothing listens on port 1."""
    lines = kubeconfig.splitlines()
    return "\n".join(
        line.partition("server:")[0] + "server: https://127.0.0.1:1" if "server:" in line else line
        for line in lines
    )


def test_many_objects_are_made_at_the_same_time(project: Deployed) -> None:
    """One that waits keeps no other from being made."""
    waits = {
        f"w{number}": project.deployment(
            f"w{number}", node_selector=NOWHERE, annotations={"pulumi.com/timeoutSeconds": "60"}
        )
        for number in range(40)
    }
    project.objects({**waits, **{f"c{number}": project.config_map(f"c{number}") for number in range(40)}})
    running = project.start("up", "--yes", "--skip-preview", "--parallel=100")
    try:
        eventually(lambda: len(project.names("configmap,deployment")), 81)
        assert running.poll() is None
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(180)


Said = Callable[[TinyProject], str]


class TestStandIn:
    """What only the stand-in does: it says what it is, what it waits for, and what it refuses."""

    @pytest.fixture
    def project(self, cluster: LocalCluster, tmp_path: Path) -> Iterator[Deployed]:
        """Return a project that uses the stand-in."""
        made = Deployed(tmp_path, cluster)
        made.use_stand_ins()
        made.init()
        yield made
        made.pulumi("destroy", "--yes", "--skip-preview")
        cluster.kubectl("delete", "namespace", made.namespace, "--wait=false")

    def test_it_says_that_it_is_a_stand_in(self, project: Deployed) -> None:
        """Nobody takes it for the official one."""
        project.objects({"settings": project.config_map("settings", a="1")})

        assert "stand-in for Pulumi's Kubernetes provider" in project.pulumi("preview").output

    def test_it_refuses_an_api_server_that_is_not_on_this_machine(self, project: Deployed) -> None:
        """And names the way to the official one."""
        away = project.root / "away.yaml"
        kubeconfig = _moved(Path(project.environment["KUBECONFIG"]).read_text())
        away.write_text(kubeconfig.replace("https://127.0.0.1:1", "https://203.0.113.7:6443"))
        project.provider(kubeconfig=str(away))
        project.objects({"settings": project.config_map("settings", a="1")})
        done = project.pulumi("preview")

        assert done.code != 0
        assert (
            "the stand-in provider only talks to a cluster on this machine, not to https://203.0.113.7:6443; "
            "install the official one: pulumi plugin install resource kubernetes 4.34.2"
        ) in done.output

    def test_it_says_what_an_update_waits_for(self, project: Deployed) -> None:
        """While it waits, and when time runs out: the object, how far it is, and what is in the way."""
        limit = {"pulumi.com/timeoutSeconds": "5"}
        web = project.deployment("web", replicas=4, node_selector=NOWHERE, annotations=limit)
        project.objects({"web": web})
        output = project.up().output
        waiting = f"waiting for Deployment {project.namespace}/web: 0 of 4 pods available"

        assert f"created, but not ready: timed out after 5 s {waiting}: 4 Pending (" in output, output
        assert "didn't match Pod's node affinity/selector" in output, output

    def test_it_points_at_a_wait_condition_that_cannot_be_read(self, project: Deployed) -> None:
        """Before anything is created."""
        bad = {"pulumi.com/waitFor": "status=Ready"}
        project.objects({"web": project.deployment("web", annotations=bad)})
        done = project.pulumi("preview")

        assert done.code != 0
        assert "pulumi.com/waitFor: 'status=Ready': must be condition=TYPE" in done.output
