"""What holds of every object, whatever the plan."""

import re
from dataclasses import replace

import pytest
from rendered import (
    ENDPOINTS,
    MANIFESTS,
    PLAN,
    WORKLOADS,
    of_kind,
    pod_templates,
    pods,
    selected,
    texts,
    workloads_of,
)
from samples import real_stack, sample_plan

from infra import names
from infra.render.files import files
from infra.render.make import render


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


def test_endpoints_may_be_called_like_walls_of_their_team_or_routers_of_others() -> None:
    """Names that people choose never replace a network policy of the team or of another endpoint."""
    chosen = ("deny-all", "allow-dns", "allow-weights", "agent-router", "agent-pods")
    manifests = render(sample_plan(ENDPOINTS | dict.fromkeys(chosen, ENDPOINTS["chat"])))
    found = [(manifest.kind, manifest.namespace, manifest.name) for manifest in manifests]

    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("url", "namespaces"),
    [
        ("http://prometheus.monitoring.svc:9090", ["monitoring"]),
        ("http://prometheus-operated.observability.svc.cluster.local:9090", ["monitoring", "observability"]),
        ("http://prometheus.observability:9090", ["monitoring", "observability"]),
        ("https://metrics.example.com/team", ["monitoring"]),
        ("http://127.0.0.1:9090", ["monitoring"]),
    ],
)
def test_prometheus_may_scrape_from_the_namespace_of_its_address(url: str, namespaces: list[str]) -> None:
    """Engines are open to the Prometheus that autoscalers ask; without its numbers nothing would scale."""
    policies = [m for m in render(replace(PLAN, prometheus_url=url)) if m.name == "chat-pods"]
    rules = texts(policies[0], "spec")["ingress"]
    key = "kubernetes.io/metadata.name"

    assert [namespaces, namespaces] == [
        [labels[key] for peer in rule["from"] if key in (labels := peer["namespaceSelector"]["matchLabels"])]
        for rule in rules[1:]
    ]


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
    several = args["chat-router"]
    start = several.index("--selector") + 1
    labels = dict(pair.split("=") for pair in several[start : start + 3])
    assert workloads_of("chat", "serve") == selected(labels)
    assert "--vllm-pd-disaggregation" not in several
    several_machines = args["reasoning-router"]
    start = several_machines.index("--selector") + 1
    labels = dict(pair.split("=") for pair in several_machines[start : start + 4])
    assert workloads_of("reasoning", "serve") == selected(labels)
    looking = {"agent-router", "chat-router", "reasoning-router"}
    assert looking == {m.name for m in of_kind("Role")} == {m.name for m in of_kind("RoleBinding")}


def test_an_endpoint_of_one_engine_has_no_router() -> None:
    """There is nothing to choose; its Service leads to the engine."""
    plan = sample_plan({"one": {**ENDPOINTS["reasoning"], "units": {"reserved": 1}}})

    assert [] == [m.name for m in render(plan) if "router" in m.name]
    assert "one-serve.test-search.svc:8000" == plan.endpoints[0].upstream


def test_routers_of_all_templates_are_the_same_program() -> None:
    """What is balanced and what is led through roles goes through one tested version."""
    images = {
        template.value.router.image for template in real_stack().templates.values() if template.value.router
    }

    assert {names.ROUTER_IMAGE} == images


def test_a_stack_without_endpoints_has_no_objects() -> None:
    """Nothing bought, nothing rendered."""
    assert () == render(sample_plan({}))
