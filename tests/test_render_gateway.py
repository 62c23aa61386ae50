"""The gateway in the cluster: who reaches it, what it reaches, what it may, and what makes it restart."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rendered import ENDPOINTS, of_kind, pod_templates, texts
from rendered_gateway import BARE_PLAN, IMAGE, JUDGED, LIMITED, MANIFESTS, PLAN, one
from samples import sample_plan

from infra import names
from infra.plan.model import Plan
from infra.render.gateway_limits import RATELIMIT_IMAGE
from infra.render.make import Manifest, render

OWN = [manifest for manifest in MANIFESTS if manifest.owner_kind == names.GATEWAY_TYPE]
GO_MODULE = Path(__file__).parent.parent / "infra" / "local" / "go" / "gateway" / "go.mod"


def pod(name: str, manifests: tuple[Manifest, ...] = MANIFESTS) -> dict:
    """Return the pod of one of the gateway's Deployments."""
    (template,) = pod_templates(one("Deployment", name, manifests))
    spec = template["spec"]
    assert isinstance(spec, dict)
    return spec


def container(name: str, manifests: tuple[Manifest, ...] = MANIFESTS) -> dict:
    """Return a container of the gateway's pod."""
    spec = pod(names.GATEWAY, manifests)
    (found,) = (each for each in (*spec["initContainers"], *spec["containers"]) if each["name"] == name)
    assert isinstance(found, dict)
    return found


def test_without_a_gateway_nothing_of_it_is_rendered() -> None:
    """A stack that has none gets none, and its engines stay open to namespaces with the label."""
    bare = render(replace(PLAN, gateway=None))

    assert [] == [m for m in bare if m.owner_kind == names.GATEWAY_TYPE]
    (policy,) = (m for m in bare if m.name == "chat-pods")
    assert {"namespaceSelector": {"matchLabels": {names.LABEL_CALLERS: "true"}}} in texts(policy, "spec")[
        "ingress"
    ][1]["from"]


def test_engines_and_routers_admit_the_gateway_and_no_other_caller() -> None:
    """Behind a gateway a labelled namespace opens no engine: vLLM leaves paths open that nobody may call."""
    gateway_pods = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "modelunits-test"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/component": "gateway", names.LABEL_STACK: "test"}},
    }
    labels = pod_templates(one("Deployment", names.GATEWAY))[0]["metadata"]["labels"]
    assert gateway_pods["podSelector"]["matchLabels"].items() <= labels.items()
    for endpoint in PLAN.endpoints:
        (policy,) = (m for m in MANIFESTS if m.name == f"{endpoint.name}-pods")
        own, calls, metrics = texts(policy, "spec")["ingress"]

        assert [gateway_pods, *metrics["from"]] == calls["from"]
        assert [{"podSelector": {"matchLabels": own["from"][0]["podSelector"]["matchLabels"]}}] == own["from"]
    assert names.LABEL_CALLERS not in json.dumps(
        [m.body for m in MANIFESTS if m.owner_kind == names.ENDPOINT]
    )


def test_the_gateway_admits_labelled_namespaces_the_gateway_in_front_and_prometheus() -> None:
    """Callers reach the callers' port, Prometheus that of the metrics, and nobody anything else."""
    calls, metrics = texts(one("NetworkPolicy", names.GATEWAY), "spec")["ingress"]
    envoy = {port["name"]: port["containerPort"] for port in container("envoy")["ports"]}

    assert [names.LABEL_CALLERS, "kubernetes.io/metadata.name"] == [
        label for peer in calls["from"] for label in peer["namespaceSelector"]["matchLabels"]
    ]
    assert [envoy["http"]] == [port["port"] for port in calls["ports"]]
    assert [envoy["metrics"]] == [port["port"] for port in metrics["ports"]]
    assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} == texts(
        one("NetworkPolicy", "deny-all"), "spec"
    )


def test_the_gateway_reaches_engines_and_judges_and_what_counts_for_it() -> None:
    """Each program that its files name is on the way out of its namespace."""
    egress = texts(one("NetworkPolicy", names.GATEWAY), "spec")["egress"]
    spaces = [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for rule in egress
        for peer in rule["to"]
        if "namespaceSelector" in peer
    ]
    addresses = {
        cluster["name"]: cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
        for cluster in json.loads(texts(one("ConfigMap", "gateway-config"), "data")["clusters.json"])[
            "resources"
        ]
    }
    ratelimit = addresses["ratelimit"]["socket_address"]

    assert {*(endpoint.namespace for endpoint in PLAN.endpoints), "tools"} == set(spaces)
    assert "ratelimit.modelunits-test.svc" == ratelimit["address"]
    assert ratelimit["port_value"] in {port["port"] for rule in egress for port in rule.get("ports", ())}
    assert texts(one("Service", "ratelimit"), "spec")["ports"][0]["port"] == ratelimit["port_value"]
    for endpoint in PLAN.endpoints:
        socket = addresses[endpoint.id]["socket_address"]
        assert endpoint.upstream == f"{socket['address']}:{socket['port_value']}"


@pytest.mark.parametrize(
    ("url", "inside", "ports"),
    [
        ("http://moderator.tools:9000", ["tools"], [9000]),  # may be either
        ("http://moderator.tools.svc:9000", ["tools"], []),
        ("https://api.example.com", [], [443]),
        ("http://api.example.com/moderate", [], [80]),
    ],
)
def test_judges_behind_a_url_are_reached_inside_or_outside(
    url: str, inside: list[str], ports: list[int]
) -> None:
    """The way out is as wide as the address needs."""
    plan = sample_plan({"agent": ENDPOINTS["agent"]}, gateway={"image": IMAGE}, moderation={"url": url})
    _engines, api, *judges = texts(one("NetworkPolicy", names.GATEWAY, render(plan)), "spec")["egress"]
    peers = [peer for rule in judges for peer in rule["to"]]

    assert [443, 6443] == [port["port"] for port in api["ports"]]
    assert inside == [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        for peer in peers
        if "namespaceSelector" in peer
    ]
    assert ports == [port["port"] for rule in judges for port in rule.get("ports", ())]


def test_limits_moderation_and_tls_bring_what_they_need_and_nothing_else_does() -> None:
    """A gateway without endpoints has no counter, no Redis, no moderator and no limiter."""
    bare = render(BARE_PLAN)

    assert {"gateway"} == {m.name for m in of_kind("Deployment", manifests=bare)}
    assert {"gateway", "ratelimit", "redis"} == {m.name for m in OWN if m.kind == "Deployment"}
    assert ["first-sync", "envoy"] == [c["name"] for c in pod(names.GATEWAY, bare)["initContainers"]]
    assert ["first-sync", "moderator", "concurrency", "envoy"] == [
        c["name"] for c in pod(names.GATEWAY)["initContainers"]
    ]


def test_the_gateway_may_read_its_files_and_keys_and_nothing_else() -> None:
    """Its account sees one ConfigMap and one Secret; only the container that brings them has its token."""
    rules = one("Role", names.GATEWAY).body["rules"]
    with_token = {
        each["name"]
        for each in (*pod(names.GATEWAY)["initContainers"], *pod(names.GATEWAY)["containers"])
        if "token" in {mount["name"] for mount in each.get("volumeMounts", ())}
    }

    assert [
        {
            "apiGroups": [""],
            "resources": [resource],
            "resourceNames": [name],
            "verbs": ["get", "list", "watch"],
        }
        for resource, name in (("configmaps", "gateway-config"), ("secrets", "gateway-keys"))
    ] == rules
    assert {"first-sync", "sync"} == with_token
    assert [False] * 3 == [
        pod(name)["automountServiceAccountToken"] for name in (names.GATEWAY, "ratelimit", "redis")
    ]


def test_no_secret_is_in_a_manifest() -> None:
    """Keys are made by `modelunits keys`: Pulumi's state never has them."""
    assert [] == of_kind("Secret", manifests=MANIFESTS)
    assert "keys.json" not in texts(one("ConfigMap", "gateway-config"), "data")


def test_the_moderator_does_not_see_keys() -> None:
    """It has the folder of the configuration alone."""
    (mount,) = container("moderator")["volumeMounts"]

    assert "config" == mount["subPath"]
    assert mount["readOnly"]


def test_containers_are_locked_down() -> None:
    """No container may write to its root, gain rights, or keep capabilities; none is root."""
    for name in (names.GATEWAY, "ratelimit", "redis"):
        spec = pod(name)
        assert spec["securityContext"]["runAsNonRoot"]
        for each in (*spec.get("initContainers", ()), *spec["containers"]):
            assert {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            } == each["securityContext"]
            assert {"requests", "limits"} == each["resources"].keys()


def _with_another_endpoint() -> Plan:
    more = {**LIMITED, "late": {**ENDPOINTS["chat"], "limits": {"requests_per_minute": 5}}}
    plan = sample_plan(more, moderation=JUDGED, gateway={"image": IMAGE})
    return replace(plan, gateway=PLAN.gateway)


def test_new_endpoints_and_limits_restart_no_gateway() -> None:
    """They change watched files, dashboard and alerts: no stream ends, nothing of a Deployment changes."""
    before = {(m.kind, m.name): m.body for m in OWN}
    after = {
        (m.kind, m.name): m.body
        for m in render(_with_another_endpoint())
        if m.owner_kind == names.GATEWAY_TYPE
    }

    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    files = {("ConfigMap", name) for name in ("gateway-config", "ratelimit", "dashboard")}
    assert files | {("PrometheusRule", "alerts")} == changed


def test_what_envoy_is_started_with_restarts_it() -> None:
    """Envoy reads its bootstrap once: another stack name in its stats needs another Envoy."""
    renamed = render(replace(PLAN, stack="other"))
    annotation = "modelunits.dev/bootstrap"
    digests = {
        pod_templates(one("Deployment", names.GATEWAY, manifests))[0]["metadata"]["annotations"][annotation]
        for manifests in (MANIFESTS, renamed)
    }

    assert 2 == len(digests)


def test_streams_outlive_a_gateway_that_is_told_to_stop() -> None:
    """The pod waits for the longest request; a new one is there before an old one goes."""
    longest = max(endpoint.request_timeout_seconds for endpoint in PLAN.endpoints)
    spec = texts(one("Deployment", names.GATEWAY), "spec")
    settle, most = map(int, container("sync")["lifecycle"]["preStop"]["exec"]["command"][-2:])

    assert longest <= most
    assert settle + most < pod(names.GATEWAY)["terminationGracePeriodSeconds"]
    assert {"maxSurge": 1, "maxUnavailable": 0} == spec["strategy"]["rollingUpdate"]
    # Sidecars stop after the containers that they serve, the last started first.
    sidecars = ("moderator", "concurrency", "envoy")
    assert ["Always"] * 3 == [container(name)["restartPolicy"] for name in sidecars]
    drained = container("envoy")["args"]
    assert longest <= int(drained[drained.index("--drain-time-s") + 1])


def test_routers_wait_for_streams_and_cut_none() -> None:
    """A router lets requests take as long as the gateway does."""
    for endpoint in PLAN.endpoints:
        (router,) = (
            m for m in of_kind("Deployment", manifests=MANIFESTS) if m.name == f"{endpoint.name}-router"
        )
        (template,) = pod_templates(router)
        args = template["spec"]["containers"][0]["args"]

        assert f"--request-timeout-secs={endpoint.request_timeout_seconds}" in args
        assert endpoint.request_timeout_seconds < template["spec"]["terminationGracePeriodSeconds"]


def test_the_route_in_front_has_no_time_limit() -> None:
    """What stands in front does not end a stream before ours does."""
    spec = texts(one("HTTPRoute", names.GATEWAY), "spec")
    service = texts(one("Service", names.GATEWAY), "spec")

    assert [{"namespace": "ingress", "name": "public"}] == spec["parentRefs"]
    assert ["llm.example.com"] == spec["hostnames"]
    (rule,) = spec["rules"]
    assert {"request": "0s"} == rule["timeouts"]
    assert [{"name": names.GATEWAY, "port": service["ports"][0]["port"]}] == rule["backendRefs"]


@pytest.mark.parametrize(
    ("tls", "secret", "certificates"),
    [({"secret": "llm-tls"}, "llm-tls", 0), ({"issuer": {"name": "letsencrypt"}}, "gateway-tls", 1)],
)
def test_tls_comes_from_a_secret(tls: dict[str, object], secret: str, certificates: int) -> None:
    """The platform's own, or one that cert-manager fills; callers then use port 443."""
    gateway = {"image": IMAGE, "host": "llm.example.com", "tls": tls}
    manifests = render(sample_plan(LIMITED, gateway=gateway, moderation=JUDGED))
    (volume,) = (each for each in pod(names.GATEWAY, manifests)["volumes"] if each["name"] == "tls")
    found = of_kind("Certificate", manifests=manifests)

    assert secret == volume["secret"]["secretName"]
    assert 443 == texts(one("Service", names.GATEWAY, manifests), "spec")["ports"][0]["port"]
    assert certificates == len(found)
    assert all(secret == texts(each, "spec")["secretName"] for each in found)


def test_ratelimit_is_the_program_that_tests_run() -> None:
    """Its image is tagged with the commit that the Go module pins."""
    (version,) = (
        line.split()[1]
        for line in GO_MODULE.read_text().splitlines()
        if line.strip().startswith("github.com/envoyproxy/ratelimit ")
    )

    assert version.rpartition("-")[2].startswith(RATELIMIT_IMAGE.rpartition(":")[2])
