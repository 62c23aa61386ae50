"""What holds of every object, whatever the plan."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples import every_template_and_model, real_stack, sample_plan

from infra import names
from infra.catalog.load import load_catalog
from infra.plan.model import EndpointPlan, Plan, RolePlan
from infra.render.autoscaling import formula
from infra.render.files import files
from infra.render.make import Manifest, render
from policies.promql import metric_names

ENDPOINTS = {
    "chat": {
        "model": "qwen3-32b",
        "template": "h20-single",
        "units": {"reserved": 4, "hourly": {"min": 0, "max": 8}},
        "adapters": ({"name": "tone", "source": "pvc://loras/tone", "rank": 16},),
    },
    "agent": {"model": "qwen3-32b", "template": "h20-h200-pd", "units": {"hourly": {"min": 0, "max": 8}}},
    "vision": {
        "model": "qwen3-vl-32b",
        "template": "l40s-h100-h20-epd",
        "units": {"hourly": {"min": 4, "max": 8}},
    },
    "reasoning": {
        "model": {"name": "r1-ours", "base": "deepseek-r1", "weights": "s3://models/r1-ours"},
        "template": "h100-two-node",
        "units": {"reserved": 1, "hourly": {"min": 1, "max": 2}},
    },
    "vision-asleep": {
        "model": "qwen3-vl-32b",
        "template": "l40s-h100-h20-epd",
        "units": {"hourly": {"min": 0, "max": 4}},
    },
}
PLAN = sample_plan(ENDPOINTS)
MANIFESTS = render(PLAN)
WORKLOADS = ("Deployment", "LeaderWorkerSet")
WORKER_INDEX = "leaderworkerset.sigs.k8s.io/worker-index"


def body(manifest: Manifest, *path: str) -> object:
    """Return the value at a path of an object, None where there is none."""
    value: object = manifest.body
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def texts(manifest: Manifest, *path: str) -> dict[str, str]:
    """Return the mapping at a path of an object."""
    value = body(manifest, *path)

    assert isinstance(value, dict), (manifest.kind, manifest.name, path)

    return value


def of_kind(*kinds: str, manifests: tuple[Manifest, ...] = MANIFESTS) -> list[Manifest]:
    """Return the objects of some kinds."""
    return [manifest for manifest in manifests if manifest.kind in kinds]


def pod_templates(manifest: Manifest) -> list[dict]:
    """Return the pods that a workload makes: one kind, or a leader and its workers."""
    if manifest.kind == "LeaderWorkerSet":
        group = texts(manifest, "spec", "leaderWorkerTemplate")
        return [group["leaderTemplate"], group["workerTemplate"]]
    return [texts(manifest, "spec", "template")]


def pods() -> Iterator[tuple[Manifest, dict]]:
    """Yield every pod template with its workload."""
    for workload in of_kind(*WORKLOADS):
        for template in pod_templates(workload):
            yield workload, template


def containers() -> Iterator[tuple[Manifest, dict]]:
    """Yield every container, those that prepare a pod included, with its workload."""
    for workload, template in pods():
        for container in (*template["spec"].get("initContainers", ()), *template["spec"]["containers"]):
            yield workload, container


def running(workload: Manifest) -> list[dict[str, str]]:
    """Return the labels of the pods that a workload makes, as its controller sets them."""
    found = [template["metadata"]["labels"] for template in pod_templates(workload)]
    if workload.kind == "LeaderWorkerSet":
        return [{**labels, WORKER_INDEX: str(index)} for index, labels in enumerate(found)]
    return found


def selected(selector: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return the workload and index of each pod that a selector picks."""
    return {
        (workload.name, labels.get(WORKER_INDEX, "0"))
        for workload in of_kind(*WORKLOADS)
        for labels in running(workload)
        if selector.items() <= labels.items()
    }


def workloads_of(endpoint: str, role: str) -> set[tuple[str, str]]:
    """Return the pods of a role that take requests."""
    names_of_role = {names.workload_name(endpoint, role, billing) for billing in ("reserved", "hourly")}
    return {(w.name, "0") for w in of_kind(*WORKLOADS) if w.name in names_of_role}


def evaluate(expression: str, **values: float) -> float:
    """Evaluate a formula of KEDA: Python's words, but for `condition ? this : that`."""
    python = re.sub(r"(\w+ > 0) \? ([\d.]+) : ([\d.]+)", r"(\2 if \1 else \3)", expression)
    return float(eval(python, {"__builtins__": {}}, {"ceil": ceil, "max": max, **values}))


def test_every_object_and_pod_says_what_it_belongs_to() -> None:
    """Objects are found by Kubernetes' recommended labels and by ours."""
    recommended = {
        f"app.kubernetes.io/{key}" for key in ("name", "instance", "component", "part-of", "managed-by")
    }
    for manifest in MANIFESTS:
        expected = recommended | {names.LABEL_STACK}
        expected |= {names.LABEL_TEAM} if manifest.kind != "NodePool" else set()
        expected |= {names.LABEL_ENDPOINT} if manifest.owner_kind == names.ENDPOINT else set()

        assert set() == expected - texts(manifest, "metadata", "labels").keys()
    for workload, template in pods():
        assert texts(workload, "metadata", "labels") == template["metadata"]["labels"]
        if not workload.name.endswith("-router"):
            assert {names.LABEL_ROLE, names.LABEL_BILLING} < template["metadata"]["labels"].keys()


def test_names_are_unique_and_valid() -> None:
    """No two objects of a kind share a name in a namespace, and every name is a DNS label."""
    found = [(manifest.kind, manifest.namespace, manifest.name) for manifest in MANIFESTS]

    assert len(found) == len(set(found))
    assert [] == [name for _, _, name in found if not re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name)]


def test_labels_are_valid_values() -> None:
    """The API server takes every label: at most 63 characters, letters and digits at the ends."""
    values = {value for manifest in MANIFESTS for value in texts(manifest, "metadata", "labels").values()}

    assert [] == [v for v in values if not re.fullmatch(r"[A-Za-z0-9]([-\w.]{0,61}[A-Za-z0-9])?", v)]


def test_the_same_plan_gives_the_same_bytes() -> None:
    """Rendering twice gives the same files."""
    assert files(MANIFESTS) == files(render(sample_plan(ENDPOINTS)))


def test_existing_nodes_get_no_node_pools() -> None:
    """Where nodes are there already, pods ask for them by label and nothing else is different."""
    existing = render(sample_plan(ENDPOINTS, nodes="existing"))

    assert [] == of_kind("NodePool", manifests=existing)
    assert [m.body for m in MANIFESTS if m.kind != "NodePool"] == [m.body for m in existing]


def test_pods_fit_the_pools_that_they_ask_for() -> None:
    """Each engine asks for a pool that exists, tolerates its taints, and its GPUs are within its limit."""
    pools = {pool.name: pool for pool in of_kind("NodePool")}
    for workload, template in pods():
        spec = template["spec"]
        if workload.name.endswith("-router"):
            assert "nodeSelector" not in spec
            continue
        pool = pools[spec["nodeSelector"][names.LABEL_POOL]]
        node = texts(pool, "spec", "template", "spec")
        tolerated = {(t["key"], t.get("value")) for t in spec["tolerations"]}

        assert {(names.TAINT_POOL, pool.name), (names.TAINT_GPU, None)} == tolerated
        assert {names.TAINT_POOL, names.TAINT_GPU} == {taint["key"] for taint in node["taints"]}
        assert pool.name == texts(pool, "spec", "template", "metadata", "labels")[names.LABEL_POOL]
        billing = template["metadata"]["labels"][names.LABEL_BILLING]
        assert {"reserved": ["reserved"], "hourly": ["on-demand"]}[billing] == node["requirements"][0][
            "values"
        ]


def test_limits_of_pools_are_the_plans_gpus() -> None:
    """Karpenter may not add a GPU more than the plan's maximum."""
    limits = {m.name: texts(m, "spec", "limits")[names.GPU_RESOURCE] for m in of_kind("NodePool")}

    assert {pool.name: str(pool.gpus_max) for pool in PLAN.node_pools} == limits


def test_busy_reserved_machines_stay() -> None:
    """Only empty machines go; of busy hourly ones one at a time, when its node class changes."""
    for pool in of_kind("NodePool"):
        budgets = {
            reason: budget["nodes"]
            for budget in texts(pool, "spec", "disruption")["budgets"]
            for reason in budget["reasons"]
        }
        drifted = "0" if pool.name.endswith("reserved") else "1"

        assert {"Empty": "100%", "Drifted": drifted, "Underutilized": "0"} == budgets
        assert "WhenEmpty" == texts(pool, "spec", "disruption")["consolidationPolicy"]


def test_instances_fit_their_machines() -> None:
    """As many instances as the plan puts on a machine fit its GPUs, CPUs and memory."""
    for endpoint in PLAN.endpoints:
        for role in endpoint.roles:
            for workload in of_kind(*WORKLOADS):
                if not workload.name.startswith(f"{endpoint.name}-{role.name}-"):
                    continue
                asked = pod_templates(workload)[0]["spec"]["containers"][0]["resources"]["requests"]
                each = role.instances_per_machine or 1

                assert int(asked[names.GPU_RESOURCE]) * each <= role.gpus_per_machine
                assert int(asked["cpu"].removesuffix("m")) * each <= role.vcpus_per_machine * 1000
                assert int(asked["memory"].removesuffix("Mi")) * each <= role.memory_gib_per_machine * 1024


def test_gpus_at_peak_are_the_quota() -> None:
    """What all workloads ask for at their most is what the team's quota allows."""
    at_most = {m.name: texts(m, "spec")["maxReplicaCount"] for m in of_kind("ScaledObject")}
    gpus = sum(
        (texts(w, "spec").get("replicas") or at_most[w.name])
        * texts(w, "spec").get("leaderWorkerTemplate", {"size": 1})["size"]
        * int(pod_templates(w)[0]["spec"]["containers"][0]["resources"]["limits"][names.GPU_RESOURCE])
        for w in of_kind(*WORKLOADS)
        if not w.name.endswith("-router")
    )
    (quota,) = of_kind("ResourceQuota")

    assert str(gpus) == texts(quota, "spec", "hard")[f"requests.{names.GPU_RESOURCE}"]


def test_reserved_units_are_fixed_and_hourly_ones_are_the_autoscalers() -> None:
    """Each hourly workload has one ScaledObject and no replicas; each reserved one has replicas."""
    targets = [texts(m, "spec", "scaleTargetRef") for m in of_kind("ScaledObject")]
    hourly = [w for w in of_kind(*WORKLOADS) if w.name.endswith("-hourly")]
    reserved = [w for w in of_kind(*WORKLOADS) if w.name.endswith("-reserved")]

    assert [{"apiVersion": w.body["apiVersion"], "kind": w.kind, "name": w.name} for w in hourly] == targets
    assert [None] * len(hourly) == [body(w, "spec", "replicas") for w in hourly]
    assert {"chat-serve-reserved": 4, "reasoning-serve-reserved": 1} == {
        w.name: body(w, "spec", "replicas") for w in reserved
    }


def test_a_scaler_comes_before_its_workload() -> None:
    """Until KEDA takes over, a workload without replicas has one pod: that time should be short."""
    order = [(manifest.kind, manifest.name) for manifest in MANIFESTS]
    for scaler in of_kind("ScaledObject"):
        kind = texts(scaler, "spec", "scaleTargetRef")["kind"]

        assert order.index(("ScaledObject", scaler.name)) < order.index((kind, scaler.name))


def test_pulumi_waits_for_what_runs_and_not_for_what_may_sleep() -> None:
    """Workloads get the template's time; those that may have no pods are not waited for."""
    waits = {w.name: body(w, "metadata", "annotations") for w in of_kind(*WORKLOADS)}

    assert {"pulumi.com/timeoutSeconds": "3600"} == waits["chat-serve-reserved"]
    assert {"pulumi.com/skipAwait": "true"} == waits["chat-serve-hourly"]
    assert {"pulumi.com/timeoutSeconds": "3600"} == waits["vision-encode-hourly"]
    available = {"pulumi.com/timeoutSeconds": "14400", "pulumi.com/waitFor": "condition=Available"}
    assert available == waits["reasoning-serve-reserved"]
    assert available == waits["reasoning-serve-hourly"]
    # This router waits for its engines before it listens, and they may be asleep.
    assert {"pulumi.com/skipAwait": "true"} == waits["vision-asleep-router"]
    assert {"pulumi.com/timeoutSeconds": "3600"} == waits["agent-router"]


def test_selectors_pick_the_pods_that_they_should() -> None:
    """Services, budgets, policies and monitors find their pods, and Deployments no one else's."""
    roles = [(e.name, role.name) for e in PLAN.endpoints for role in e.roles]
    services = {m.name: selected(texts(m, "spec", "selector")) for m in of_kind("Service")}
    for endpoint, role in roles:
        assert workloads_of(endpoint, role) == services[f"{endpoint}-{role}"]
    assert {("agent-router", "0")} == services["agent-router"]
    for budget in of_kind("PodDisruptionBudget"):
        found = selected(texts(budget, "spec", "selector", "matchLabels"))

        assert services[budget.name] <= found
        assert {budget.name} == {re.sub("-(reserved|hourly)$", "", workload) for workload, _ in found}
    for deployment in of_kind("Deployment"):
        assert {(deployment.name, "0")} == selected(texts(deployment, "spec", "selector", "matchLabels"))
    for kind, path in (("PodMonitor", ("selector",)), ("NetworkPolicy", ("podSelector",))):
        for manifest in of_kind(kind):
            if manifest.owner_kind == names.ENDPOINT and not manifest.name.endswith("-router"):
                found = selected(texts(manifest, "spec", *path, "matchLabels"))
                own = texts(manifest, "metadata", "labels")[names.LABEL_ENDPOINT]

                assert {own} == {
                    texts(w, "metadata", "labels")[names.LABEL_ENDPOINT]
                    for w in of_kind(*WORKLOADS)
                    if w.name in {name for name, _ in found}
                }


def test_addresses_are_those_of_the_plan() -> None:
    """The address that a plan shows is a Service's."""
    hosts = {f"{m.name}.{m.namespace}.svc" for m in of_kind("Service")}

    assert [] == [e.url for e in PLAN.endpoints if e.url.split("/")[2].split(":")[0] not in hosts]


def test_routers_know_the_addresses_or_the_labels_of_their_engines() -> None:
    """With encoders a router has the Services' addresses; otherwise it looks pods up, with the right to."""
    args = {w.name: pod_templates(w)[0]["spec"]["containers"][0]["args"] for w in of_kind("Deployment")}
    fixed, lookup = args["vision-router"], args["agent-router"]

    assert "http://vision-prefill:8000" == fixed[fixed.index("--prefill") + 1]
    assert "http://vision-decode:8000" == fixed[fixed.index("--decode") + 1]
    assert '--epd-config={"encoder_urls":["http://vision-encode:8000"]}' in fixed
    for role in ("prefill", "decode"):
        start = lookup.index(f"--{role}-selector") + 1
        labels = dict(pair.split("=") for pair in lookup[start : start + 3])
        assert workloads_of("agent", role) == selected(labels)
    assert {"agent-router"} == {m.name for m in of_kind("Role", "RoleBinding")}


def test_containers_are_locked_down() -> None:
    """No container may write to its root, gain rights, or keep capabilities; no engine has a token."""
    for _, container in containers():
        assert {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        } == container["securityContext"]
    for workload, template in pods():
        spec = template["spec"]
        assert spec["securityContext"]["runAsNonRoot"]
        assert {"type": "RuntimeDefault"} == spec["securityContext"]["seccompProfile"]
        assert (workload.name == "agent-router") == spec["automountServiceAccountToken"]


def test_secrets_are_references() -> None:
    """Tokens and keys are read from Secrets by name; none is in a manifest."""
    for _, container in containers():
        for variable in container.get("env", ()):
            secret = re.search("TOKEN|KEY|SECRET|PASSWORD", variable["name"])
            assert not secret or "secretKeyRef" in variable["valueFrom"]


def test_every_mount_has_its_volume() -> None:
    """Containers mount the volumes of their pod, and every volume is mounted."""
    for workload, template in pods():
        spec = template["spec"]
        mounted = {
            mount["name"]
            for container in (*spec.get("initContainers", ()), *spec["containers"])
            for mount in container["volumeMounts"]
        }
        assert {volume["name"] for volume in spec["volumes"]} == mounted, workload.name


def test_weights_come_from_where_the_spec_says() -> None:
    """S3 needs its keys, Hugging Face its token, a claim its volume; adapters of a claim are mounted."""
    specs = {w.name: pod_templates(w)[0]["spec"] for w in of_kind(*WORKLOADS)}
    chat, reasoning = specs["chat-serve-reserved"], specs["reasoning-serve-reserved"]
    claim = {"name": "claim-loras", "persistentVolumeClaim": {"claimName": "loras", "readOnly": True}}

    assert ["s3-credentials"] == [s["secretRef"]["name"] for s in reasoning["containers"][0]["envFrom"]]
    assert "HF_TOKEN" not in {v["name"] for v in reasoning["containers"][0]["env"]}
    assert "HF_TOKEN" in {v["name"] for v in chat["containers"][0]["env"]}
    assert claim in chat["volumes"]
    assert {"name": "claim-loras", "mountPath": "/adapters/tone", "readOnly": True, "subPath": "tone"} in (
        chat["containers"][0]["volumeMounts"]
    )


def test_roles_that_hand_over_files_share_a_volume() -> None:
    """Encoder and prefill see one folder, decode does not need it, and other endpoints have none."""
    sharing = {
        workload.name
        for workload, template in pods()
        for volume in template["spec"]["volumes"]
        if volume.get("persistentVolumeClaim", {}).get("claimName") == "vision-transfer"
    }

    assert {"vision-encode-hourly", "vision-prefill-hourly"} == sharing
    assert ["vision-transfer", "vision-asleep-transfer"] == [m.name for m in of_kind("PersistentVolumeClaim")]


def test_starting_may_take_hours_and_stopping_lets_streams_end() -> None:
    """Probes give the template's start-up time, pods the template's time to drain."""
    for endpoint in PLAN.endpoints:
        for workload in of_kind(*WORKLOADS):
            labels = texts(workload, "metadata", "labels")
            if labels[names.LABEL_ENDPOINT] != endpoint.name or names.LABEL_BILLING not in labels:
                continue
            spec = pod_templates(workload)[0]["spec"]
            probe = spec["containers"][0]["startupProbe"]

            assert endpoint.startup_timeout_seconds <= probe["periodSeconds"] * probe["failureThreshold"]
            assert f"--shutdown-timeout={endpoint.drain_timeout_seconds}" in spec["containers"][0]["args"]
            settle = spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
            assert endpoint.drain_timeout_seconds + settle < spec["terminationGracePeriodSeconds"]


def test_only_the_first_machine_of_an_instance_serves() -> None:
    """Further machines run headless with their own rank, have no probes, and end after the first."""
    group = next(w for w in of_kind("LeaderWorkerSet"))
    leader, worker = (template["spec"]["containers"][0] for template in pod_templates(group))

    assert "--node-rank=0" in leader["args"]
    assert "--node-rank=$(LWS_WORKER_INDEX)" in worker["args"]
    assert "--headless" in worker["args"]
    assert "--headless" not in leader["args"]
    assert {"ports", "startupProbe", "livenessProbe", "readinessProbe"} & worker.keys() == set()
    assert "exec" in worker["lifecycle"]["preStop"]


def scaled(template: str, model: str, units: Mapping[str, object]) -> EndpointPlan:
    """Return the plan of one endpoint."""
    return sample_plan({"one": {"model": model, "template": template, "units": units}}).endpoints[0]


STEPS = {
    name: template.value.groups_per_step * sum(role.count for role in template.value.roles.values())
    for name, template in real_stack().templates.items()
}
FIRST_MODEL = dict(reversed(every_template_and_model()))


@st.composite
def elastic_endpoints(draw: st.DrawFn) -> EndpointPlan:
    """Return an endpoint of any template with some reserved and some hourly steps."""
    template = draw(st.sampled_from(sorted(STEPS)))
    step = STEPS[template]
    low, more = draw(st.integers(0, 3)), draw(st.integers(1, 5))
    units = {
        "reserved": draw(st.integers(0, 4)) * step,
        "hourly": {"min": low * step, "max": (low + more) * step},
    }
    return scaled(template, FIRST_MODEL[template], units)


@given(elastic_endpoints(), st.integers(0, 3000), st.integers(0, 500), st.integers(0, 500))
def test_formulas_yield_whole_steps_of_the_same_groups(
    endpoint: EndpointPlan, running_now: int, waiting: int, held: int
) -> None:
    """Each role's formula yields the groups that the load needs and reserved units lack, in whole steps."""
    scaling = endpoint.scaling
    load = {"running": running_now, "waiting": waiting, "held": held, "recent": 0}
    # As exact as the formula writes the concurrency.
    full = float(f"{scaling.concurrency_per_group:g}")
    lacking = max(sum(load.values()) / full - scaling.reserved_groups, 0)
    groups = ceil(lacking / scaling.groups_per_step) * scaling.groups_per_step

    assert [groups * role.count for role in endpoint.roles] == [
        evaluate(formula(endpoint, role), **load) for role in endpoint.roles
    ]


@given(elastic_endpoints())
def test_bounds_are_whole_steps_and_sleep_is_all_or_nothing(endpoint: EndpointPlan) -> None:
    """The autoscaler keeps to the plan's bounds; from 0 it goes to a whole step at once."""
    plan = replace(PLAN, endpoints=(endpoint,))
    for role, scaler in zip(endpoint.roles, of_kind("ScaledObject", manifests=render(plan)), strict=True):
        spec = texts(scaler, "spec")
        step = endpoint.groups_per_step * role.count

        assert role.replicas.hourly_max == spec["maxReplicaCount"]
        assert (role.replicas.hourly_min or step) == spec["minReplicaCount"] == spec["fallback"]["replicas"]
        assert (0 if role.replicas.hourly_min == 0 else None) == spec.get("idleReplicaCount")
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        for direction in ("scaleUp", "scaleDown"):
            assert [0] == [policy["value"] % step for policy in behavior[direction]["policies"]]


def role_of(endpoint: str) -> tuple[EndpointPlan, RolePlan]:
    """Return an endpoint of the sample and its first role."""
    found = next(e for e in PLAN.endpoints if e.name == endpoint)
    return found, found.roles[0]


def test_recent_traffic_keeps_an_endpoint_awake_but_not_burst_units() -> None:
    """A request that began and ended between two looks counts where only hourly units serve."""
    idle = {"running": 0, "waiting": 0, "held": 0}

    assert 3 == evaluate(formula(*role_of("agent")), **idle, recent=0.2)
    assert 0 == evaluate(formula(*role_of("agent")), **idle, recent=0)
    assert "recent" not in formula(*role_of("chat"))


def test_a_held_request_wakes_an_endpoint() -> None:
    """One request at the door of a sleeping endpoint is worth a whole step."""
    assert 3 == evaluate(formula(*role_of("agent")), running=0, waiting=0, held=1, recent=0)


def test_queries_name_metrics_that_the_pinned_engine_reports(known: frozenset[str]) -> None:
    """Every metric of every query is in vLLM's list, or ours."""
    asked = {
        name
        for scaler in of_kind("ScaledObject")
        for trigger in texts(scaler, "spec")["triggers"]
        for name in metric_names(trigger["metadata"]["query"])
    }

    assert {names.HELD_REQUESTS_METRIC} == asked - known
    assert 4 == len(asked)


@pytest.fixture
def known() -> frozenset[str]:
    """Return the metrics of the pinned engine."""
    return frozenset(load_catalog().engines["0.32.0"].metrics)


def test_formulas_use_every_trigger_and_no_other() -> None:
    """A trigger that the formula leaves out costs a query; one that it lacks fails."""
    for scaler in of_kind("ScaledObject"):
        triggers = {trigger["name"] for trigger in texts(scaler, "spec")["triggers"]}
        expression = texts(scaler, "spec", "advanced", "scalingModifiers")["formula"]

        assert triggers == set(re.findall(r"[a-z]+", expression)) - {"ceil", "max"}


def test_scrapes_give_series_the_labels_that_queries_ask_for() -> None:
    """The PodMonitor writes the labels that select an endpoint's series."""
    (monitor,) = (m for m in of_kind("PodMonitor") if m.name == "agent")
    scrapes = texts(monitor, "spec")["podMetricsEndpoints"]

    assert ["http", "metrics"] == [scrape["port"] for scrape in scrapes]
    for scrape in scrapes:
        written = {r["targetLabel"]: r["sourceLabels"] for r in scrape["relabelings"]}
        assert ["__meta_kubernetes_pod_label_modelunits_dev_endpoint"] == written["modelunits_endpoint"]
        assert ["__meta_kubernetes_pod_label_modelunits_dev_stack"] == written["modelunits_stack"]


def test_a_stack_without_endpoints_has_no_objects() -> None:
    """Nothing bought, nothing rendered."""
    empty: Plan = sample_plan({})

    assert () == render(empty)
