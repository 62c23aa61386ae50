"""What the stand-in for the Kubernetes provider decides, apart from any engine or cluster."""

import json

import pytest
from google.protobuf.struct_pb2 import Struct

from infra.local.kubernetes_provider.configuration_diff import configuration_diff
from infra.local.kubernetes_provider.diff import Mutability, object_diff, parse_path, path_text
from infra.local.kubernetes_provider.kubeconfig import Unusable, is_loopback, settings_from
from infra.local.kubernetes_provider.operations import Refused, checked, inputs_from
from infra.local.kubernetes_provider.ownership import forces, taken_over, without_ignored
from infra.local.kubernetes_provider.readiness import (
    Around,
    BadWaitFor,
    deployment,
    judges,
    service,
    timeout_seconds,
    together,
    volume_claim,
    wait_for,
)
from infra.local.kubernetes_provider.values import (
    SECRET_SIGNATURE,
    SIGNATURE_KEY,
    Manifest,
    Secret,
    decode,
    encode,
    has_unknown,
    mark_secrets,
)

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def around(
    pods: list[Manifest] | None = None, slices: list[Manifest] | None = None, mode: str = ""
) -> Around:
    """Return what surrounds an object."""
    return Around(pods=lambda: pods or [], endpoint_slices=lambda: slices or [], binding_mode=lambda: mode)


def web(**spec: object) -> Manifest:
    """Return a Deployment."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "search"},
        "spec": spec,
    }


def changes(
    old: Manifest, new: Manifest, live: Manifest | None = None, ignore: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return what changes, by field; a `!` says that it replaces the object."""
    diff = object_diff(
        old_live=old if live is None else live,
        old_inputs=old,
        new_inputs=new,
        ignore=ignore,
        mutability=Mutability(),
    )
    return {field.path: field.change + "!" * field.replaces for field in diff.fields}


class TestValues:
    """Property values on the wire."""

    def test_they_come_back_as_they_went(self) -> None:
        """Whole numbers are integers, fractions stay, and lists may hold anything."""
        given = {"a": 3, "b": 0.5, "c": [1, "x", True, {"d": None}], "e": {}, "f": ""}

        assert {**given, "c": [1, "x", True, {}]} == decode(encode(given))

    def test_secrets_are_wrapped(self) -> None:
        """As the engine sends them, and expects them back."""
        struct = Struct()
        struct.update({"a": {SIGNATURE_KEY: SECRET_SIGNATURE, "value": 3}})

        assert {"a": Secret(3)} == decode(struct)
        assert struct == encode({"a": Secret(3)})

    def test_unknowns_are_found_anywhere(self) -> None:
        """Also in secrets and lists."""
        assert has_unknown({"a": [{"b": Secret(UNKNOWN)}]})
        assert not has_unknown({"a": [{"b": Secret("known")}]})

    def test_what_was_secret_stays_secret(self) -> None:
        """Only that part, and the whole of a list that holds one; the data of a Secret always."""
        inputs = {"data": {"a": Secret("x"), "b": "y"}, "list": [Secret("x")]}
        outputs = {"data": {"a": "x", "b": "y"}, "list": ["x"], "status": "z"}
        expected = {"data": {"a": Secret("x"), "b": "y"}, "list": Secret(["x"]), "status": "z"}

        assert expected == mark_secrets(outputs, inputs)
        assert {"kind": "Secret", "data": Secret({"a": "eA=="})} == mark_secrets(
            {"kind": "Secret", "data": {"a": "eA=="}}, {}
        )


class TestDiff:
    """What a change of inputs does."""

    def test_what_the_server_fills_in_is_no_change(self) -> None:
        """Neither defaults, nor status, nor the metadata that only it sets."""
        live = {**web(replicas=1, strategy={"type": "RollingUpdate"}), "status": {"replicas": 1}}
        live["metadata"] = {"name": "web", "namespace": "search", "uid": "1", "resourceVersion": "2"}

        assert {} == changes(web(replicas=1), web(replicas=1), live)

    def test_each_changed_field_is_named(self) -> None:
        """Added, updated and deleted ones, in maps and lists."""
        old = web(replicas=1, args=["a", "b"], gone=True)
        new = web(replicas=2, args=["a", "c", "d"], fresh={"x": 1})
        expected = {
            "spec.replicas": "update",
            "spec.args[1]": "update",
            "spec.args[2]": "add",
            "spec.fresh": "add",
            "spec.gone": "delete",
        }

        assert expected == changes(old, new)

    @pytest.mark.parametrize(
        ("before", "after", "differs"),
        [
            ("1", "1000m", False),
            ("1Gi", "1024Mi", False),
            ("1", 1, False),
            ("1Gi", "1G", True),
            ("1", "x", True),
        ],
    )
    def test_amounts_are_compared_by_value(self, before: str, after: object, differs: bool) -> None:
        """The API server writes them in its own way."""
        assert differs == bool(changes(web(limits={"cpu": before}), web(limits={"cpu": after})))

    def test_other_texts_are_compared_as_texts(self) -> None:
        """An environment variable that happens to look like an amount is none."""
        assert {"spec.value": "update"} == changes(web(value="1"), web(value="1000m"))

    def test_custom_resources_are_compared_as_texts_throughout(self) -> None:
        """Nobody knows what their fields mean."""
        scaled = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "a"}}

        assert {"spec.limits.x": "update"} == changes(
            {**scaled, "spec": {"limits": {"x": "1"}}}, {**scaled, "spec": {"limits": {"x": "1000m"}}}
        )

    def test_an_empty_value_that_the_server_left_out_is_no_change(self) -> None:
        """It keeps no empty maps, lists and texts where they may be left out."""
        given = web(
            containers=[{"name": "a", "env": [{"name": "X", "value": ""}], "args": []}], annotations={}
        )
        live = web(containers=[{"name": "a", "env": [{"name": "X"}]}])

        assert {} == changes(given, given, live)

    def test_an_immutable_field_replaces(self) -> None:
        """At it, below it, or where it comes or goes with what is around it."""
        selector = {"matchLabels": {"app": "a"}}

        assert {"spec.selector.matchLabels.app": "update!"} == changes(
            web(selector=selector), web(selector={"matchLabels": {"app": "b"}})
        )
        assert {"spec.selector": "add!"} == changes(web(), web(selector=selector))
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}}
        assert {"spec": "add!"} == changes(job, {**job, "spec": {"template": {}}})

    def test_an_object_that_keeps_its_name_goes_before_its_successor_comes(self) -> None:
        """Two cannot have one name; with another name, or another namespace, the new one comes first."""

        def order(**metadata: str) -> bool:
            new = {**web(selector={"a": "c"}), "metadata": {"name": "web", "namespace": "search", **metadata}}
            old = web(selector={"a": "b"})
            return object_diff(
                old_live=old, old_inputs=old, new_inputs=new, ignore=(), mutability=Mutability()
            ).delete_before_replace

        assert order()
        assert not order(name="other")
        assert not order(namespace="other")

    def test_ignored_fields_are_left_out(self) -> None:
        """With all that is below them."""
        old, new = web(replicas=1, a={"b": [1]}), web(replicas=2, a={"b": [2]})

        assert {} == changes(old, new, ignore=("spec.replicas", "spec.a.b[*]"))

    def test_data_of_config_maps_replaces_unless_told_otherwise(self) -> None:
        """As with the official provider."""

        def replaces(*, config_map: bool, immutable: bool = False) -> bool:
            old: Manifest = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "a"},
                "data": {"x": "1"},
            }
            new = {**old, "data": {"x": "2"}, "immutable": immutable}
            diff = object_diff(
                old_live=old,
                old_inputs=old,
                new_inputs=new,
                ignore=(),
                mutability=Mutability(config_map=config_map),
            )
            return bool(diff.replaces)

        assert replaces(config_map=False)
        assert not replaces(config_map=True)
        assert replaces(config_map=True, immutable=True)

    def test_the_default_namespace_need_not_be_said(self) -> None:
        """Leaving it out moves nothing."""
        said = {**web(), "metadata": {"name": "web", "namespace": "default"}}

        assert {} == changes(said, {**web(), "metadata": {"name": "web"}})

    @pytest.mark.parametrize(
        "written", ["spec.ports[0].port", 'metadata.labels["app.kubernetes.io/name"]', "data", '["a.b"].c']
    )
    def test_paths_are_read_as_they_are_written(self, written: str) -> None:
        """Keys with dots are quoted."""
        assert written == path_text(parse_path(written))


class TestOwnership:
    """Who manages which field."""

    def entry(self, manager: str, operation: str, *fields: str, subresource: str = "") -> Manifest:
        """Return an entry of managedFields."""
        owned = {f"f:{field}": {} for field in fields}
        extra = {"subresource": subresource} if subresource else {}
        return {"manager": manager, "operation": operation, "fieldsV1": {"f:spec": owned}, **extra}

    def live(self, *entries: Manifest, **spec: object) -> Manifest:
        """Return an object with managed fields."""
        return {"metadata": {"name": "web", "managedFields": list(entries)}, "spec": spec}

    def test_what_we_created_becomes_what_we_apply(self) -> None:
        """Together with what we applied already, and what kubectl changed; others keep theirs."""
        live = self.live(
            self.entry("pulumi-kubernetes-1", "Update", "a"),
            self.entry("kubectl-edit", "Update", "b"),
            self.entry("pulumi-kubernetes-1", "Apply", "c"),
            self.entry("someone", "Update", "d"),
            self.entry("kube-controller-manager", "Update", "e", subresource="scale"),
        )
        expected = [
            self.entry("someone", "Update", "d"),
            self.entry("kube-controller-manager", "Update", "e", subresource="scale"),
            self.entry("pulumi-kubernetes-1", "Apply", "c", "a", "b"),
        ]

        assert expected == taken_over(live, "pulumi-kubernetes-1")

    def test_nothing_is_written_where_nothing_is_to_be_taken_over(self) -> None:
        """An object that was only applied keeps its entries."""
        assert (
            taken_over(self.live(self.entry("pulumi-kubernetes-1", "Apply", "a")), "pulumi-kubernetes-1")
            is None
        )

    def test_an_ignored_field_of_others_is_not_sent(self) -> None:
        """Sending it would conflict; one that we own is sent as it is, as leaving it out would unset it."""
        inputs: Manifest = {"spec": {"replicas": 1, "paused": False, "args": []}}
        live = self.live(
            self.entry("autoscaler", "Update", "replicas"),
            self.entry("pulumi-kubernetes-1", "Apply", "paused"),
            replicas=6,
            paused=True,
        )
        expected = {"spec": {"paused": True, "args": []}}

        assert expected == without_ignored(
            inputs, live, ("spec.replicas", "spec.paused"), "pulumi-kubernetes-1"
        )

    def test_fields_are_taken_only_where_someone_says_so(self) -> None:
        """A preview has to, as it cannot take over what we created."""
        forced: Manifest = {"metadata": {"annotations": {"pulumi.com/patchForce": "true"}}}
        created = self.live(self.entry("pulumi-kubernetes-1", "Update", "a"))
        applied = self.live(self.entry("pulumi-kubernetes-1", "Apply", "a"))

        assert forces(forced, applied, always=False, preview=False)
        assert forces({}, applied, always=True, preview=False)
        assert forces({}, created, always=False, preview=True)
        assert not forces({}, applied, always=False, preview=True)
        assert not forces({}, created, always=False, preview=False)


class TestReadiness:
    """Whether an object is ready, and what is missing."""

    def rolled_out(self, **status: int) -> Manifest:
        """Return a Deployment whose controller has finished."""
        conditions = [
            {"type": "Available", "status": "True"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        ]
        counts = {"observedGeneration": 1, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2}
        made = web(replicas=2)
        made["metadata"] = {"name": "web", "namespace": "search", "generation": 1}
        return {**made, "status": {**counts, **status, "conditions": conditions}}

    def test_a_deployment_is_ready_when_its_newest_pods_are(self) -> None:
        """All of them, as the controller sees them now."""
        assert deployment(self.rolled_out(), around()).ready
        assert not deployment(self.rolled_out(readyReplicas=1), around()).ready
        assert not deployment(self.rolled_out(updatedReplicas=1), around()).ready
        assert not deployment(self.rolled_out(observedGeneration=0), around()).ready

    def test_the_reasons_of_pods_are_counted(self) -> None:
        """The most frequent first, with what the scheduler or the container says."""

        def pending(message: str) -> Manifest:
            scheduled = {"type": "PodScheduled", "status": "False", "message": message}
            return {"status": {"phase": "Pending", "conditions": [scheduled]}}

        crashing: Manifest = {
            "status": {
                "phase": "Running",
                "containerStatuses": [
                    {
                        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                        "lastState": {"terminated": {"reason": "OOMKilled"}},
                    }
                ],
            }
        }
        pods = [crashing, pending("no GPUs left"), pending("no GPUs left")]
        said = deployment(self.rolled_out(readyReplicas=0, availableReplicas=0), around(pods)).words

        pending_words, crashing_words = (
            "2 Pending (no GPUs left)",
            "1 waiting (CrashLoopBackOff, last ended: OOMKilled)",
        )
        assert f"0 of 2 pods available: {pending_words}; {crashing_words}" == said

    def test_a_service_needs_a_ready_pod(self) -> None:
        """Not one that has none by design."""
        plain: Manifest = {"spec": {"selector": {"app": "web"}}}
        ready: Manifest = {"endpoints": [{"conditions": {"ready": True}}]}
        unready: Manifest = {"endpoints": [{"conditions": {"ready": False}}]}

        assert service(plain, around(slices=[ready])).ready
        assert not service(plain, around(slices=[unready])).ready
        assert service({"spec": {"selector": {"a": "b"}, "clusterIP": "None"}}, around()).ready
        assert service({"spec": {"type": "ExternalName"}}, around()).ready
        assert service({"spec": {}}, around()).ready

    def test_a_claim_may_wait_for_its_first_pod(self) -> None:
        """Where its storage class says so."""
        pending: Manifest = {"status": {"phase": "Pending"}}

        assert volume_claim({"status": {"phase": "Bound"}}, around()).ready
        assert volume_claim(pending, around(mode="WaitForFirstConsumer")).ready
        assert not volume_claim(pending, around(mode="Immediate")).ready

    @pytest.mark.parametrize(
        ("expression", "ready"),
        [
            ("condition=Ready", True),
            ("condition=ready=true", True),
            ("condition=Ready=False", False),
            ("condition=Other", False),
            ("jsonpath={.status.phase}=Running", True),
            ("jsonpath={.status.phase}=Failed", False),
            ("jsonpath={.status.phase}", True),
            ("jsonpath={.status.none}", False),
            ("jsonpath={.status.count}=3", True),
            ("jsonpath={.status.on}=true", True),
            ("jsonpath={.metadata.labels['a.b/c']}=d", True),
            (r"jsonpath={.metadata.labels.a\.b/c}=d", True),
            ("jsonpath={.status.conditions[0].type}=Ready", True),
            ('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', True),
            ('["condition=Ready", "jsonpath={.status.phase}=Running"]', True),
            ('["condition=Ready", "jsonpath={.status.phase}=Failed"]', False),
        ],
    )
    def test_annotations_say_what_to_wait_for(self, expression: str, ready: bool) -> None:
        """In kubectl's words."""
        live: Manifest = {
            "metadata": {"labels": {"a.b/c": "d"}},
            "status": {
                "phase": "Running",
                "count": 3,
                "on": True,
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }

        assert ready == together(live, wait_for(expression), around()).ready

    def test_of_several_the_first_that_does_not_hold_is_said(self) -> None:
        """With how many hold already."""
        live: Manifest = {"status": {"a": 1}}
        wanted = wait_for(json.dumps(["jsonpath={.status.a}=1", "jsonpath={.status.b}=2"]))

        assert (
            "[1/2] jsonpath={.status.b}=2 does not hold: it is not set"
            == together(live, wanted, around()).words
        )

    @pytest.mark.parametrize("bad", ["Ready", "jsonpath=.status", "jsonpath={}", "jsonpath={status}", "[]"])
    def test_what_cannot_be_read_is_refused(self, bad: str) -> None:
        """Rather than waited for."""
        with pytest.raises(BadWaitFor):
            wait_for(bad)

    def test_a_stale_condition_does_not_count(self) -> None:
        """Its controller has not seen the newest change."""
        live: Manifest = {
            "metadata": {"generation": 2},
            "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]},
        }

        assert not together(live, wait_for("condition=Ready"), around()).ready

    def test_annotations_decide_whether_and_how_long_to_wait(self) -> None:
        """skipAwait before everything; the resource's own timeout before the annotation's."""

        def annotated(**annotations: str) -> Manifest:
            keyed = {f"pulumi.com/{key}": value for key, value in annotations.items()}
            return {**web(), "metadata": {"name": "web", "annotations": keyed}}

        assert 1 == len(judges(annotated()))
        assert 0 == len(judges(annotated(skipAwait="true", waitFor="condition=Ready")))
        assert 2 == len(judges(annotated(waitFor='["condition=A", "condition=B"]')))
        assert 600.0 == timeout_seconds(annotated(), 0.0)
        assert 60.0 == timeout_seconds(annotated(timeoutSeconds="60"), 0.0)
        assert 5.0 == timeout_seconds(annotated(timeoutSeconds="60"), 5.0)


class TestConfiguration:
    """Which cluster the provider is for."""

    def kubeconfig(self, server: str) -> str:
        """Return a kubeconfig of one context."""
        return json.dumps(
            {
                "current-context": "a",
                "contexts": [{"name": "a", "context": {"cluster": "c"}}],
                "clusters": [{"name": "c", "cluster": {"server": server}}],
            }
        )

    @pytest.mark.parametrize(
        ("server", "loopback"),
        [
            ("https://127.0.0.1:6443", True),
            ("https://127.9.9.9", True),
            ("https://[::1]:6443", True),
            ("https://localhost:6443", True),
            ("https://10.0.0.1:6443", False),
            ("https://0.0.0.0:6443", False),
            ("https://localhost.example.com", False),
            ("https://127.0.0.1.example.com", False),
            ("https://user@127.0.0.1@example.com", False),
            ("", False),
        ],
    )
    def test_only_loopback_is_this_machine(self, server: str, loopback: bool) -> None:
        """Whatever looks like it."""
        assert loopback == is_loopback(server)

    def test_another_identifier_is_another_cluster(self) -> None:
        """And the same one is the same, whatever else changes; coming and going of it decides nothing."""
        one, other = {"clusterIdentifier": "a", "context": "x"}, {"clusterIdentifier": "a", "context": "y"}

        assert () == configuration_diff(one, other).replaces
        assert ("clusterIdentifier",) == configuration_diff(one, {**one, "clusterIdentifier": "b"}).replaces
        assert () == configuration_diff(one, {"context": "x"}).replaces
        assert () == configuration_diff(one, one).changed

    def test_without_an_identifier_another_server_is_another_cluster(self) -> None:
        """As far as the configuration tells; an unknown one may be any."""
        before = {"kubeconfig": self.kubeconfig("https://127.0.0.1:1")}
        moved = {"kubeconfig": self.kubeconfig("https://127.0.0.1:2")}
        same = {"kubeconfig": self.kubeconfig("https://127.0.0.1:1") + " "}

        assert ("kubeconfig",) == configuration_diff(before, moved).replaces
        assert () == configuration_diff(before, same).replaces
        assert ("kubeconfig",) == configuration_diff(before, {"kubeconfig": UNKNOWN}).replaces

    @pytest.mark.parametrize("key", ["cluster", "renderYamlToDirectory"])
    def test_what_the_stand_in_lacks_is_refused(self, key: str) -> None:
        """Rather than left out."""
        with pytest.raises(
            Unusable, match=f"does not have `{key}`.*pulumi plugin install resource kubernetes"
        ):
            settings_from({f"kubernetes:config:{key}": "x"}, {})

    def test_the_program_s_settings_beat_the_environment_s(self) -> None:
        """In the official provider's names."""
        environment = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true"}

        assert settings_from({}, environment).upsert
        assert not settings_from({"kubernetes:config:upsertExistingObjects": "false"}, environment).upsert


class TestChecking:
    """Inputs before anything is done with them."""

    def test_an_object_without_a_name_gets_one_unless_that_is_disabled(self) -> None:
        """And keeps it from then on."""
        nameless: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}
        named = checked(nameless, {}, resource_name="settings-1", default_namespace="")

        assert {"name": "settings-1", "annotations": {"pulumi.com/autonamed": "true"}} == named["metadata"]
        assert named == checked(nameless, named, resource_name="settings-2", default_namespace="")
        with pytest.raises(Refused, match=r"metadata\.name: must be set"):
            checked(nameless, {}, resource_name="", default_namespace="")

    @pytest.mark.parametrize("key", ["apiVersion", "kind"])
    def test_an_object_needs_its_kind(self, key: str) -> None:
        """A typed class sets it, a program that registers without types has to."""
        with pytest.raises(Refused, match=key):
            checked({**web(), key: ""}, {}, resource_name="web", default_namespace="")

    def test_the_default_namespace_is_for_objects_that_say_none(self) -> None:
        """What is said stays."""
        silent: Manifest = {**web(), "metadata": {"name": "web"}}
        metadata = [
            checked(given, {}, resource_name="", default_namespace="other")["metadata"]
            for given in (silent, web())
        ]

        assert [{"name": "web", "namespace": "other"}, {"name": "web", "namespace": "search"}] == metadata

    def test_an_import_takes_what_people_may_set(self) -> None:
        """Not the status, nor what only the API server sets."""
        live = {**web(replicas=1), "status": {"replicas": 1}}
        live["metadata"] = {"name": "web", "uid": "1", "managedFields": []}

        assert {**web(replicas=1), "metadata": {"name": "web"}} == inputs_from(live, {})

    def test_texts_of_a_secret_are_read_back(self) -> None:
        """Though the API server only shows their data."""
        inputs: Manifest = {"kind": "Secret", "stringData": {"a": "x"}}
        live: Manifest = {"kind": "Secret", "data": {"a": "eQ==", "b": "eA=="}}

        assert {"kind": "Secret", "stringData": {"a": "y"}} == inputs_from(live, inputs)
