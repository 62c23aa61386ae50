"""Pods of engines and routers: where they run, what they may, how they start and stop."""

import re

from rendered import ENDPOINTS, PLAN, WORKLOADS, body, containers, of_kind, pod_templates, pods, texts
from samples import sample_plan

from infra import names
from infra.render.make import render


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


def test_engines_fill_machines_before_they_take_another() -> None:
    """Engines wish to be where others of their stack and billing are, of any team, as plans count."""
    for workload in of_kind("Deployment"):
        if workload.name.endswith("-router"):
            continue
        template = pod_templates(workload)[0]
        wishes = template["spec"]["affinity"]["podAffinity"][
            "preferredDuringSchedulingIgnoredDuringExecution"
        ]
        labels = template["metadata"]["labels"]
        ours = {name: labels[name] for name in (names.LABEL_STACK, names.LABEL_BILLING)}

        assert [
            {
                "topologyKey": "kubernetes.io/hostname",
                "labelSelector": {"matchLabels": ours},
                "namespaceSelector": {},
            }
        ] == [wish["podAffinityTerm"] for wish in wishes]


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
        looks_up = workload.name.endswith("-router") and not workload.name.startswith("vision")
        assert looks_up == spec["automountServiceAccountToken"]


def test_secrets_are_references() -> None:
    """Tokens and keys are read from Secrets by name; none is in a manifest."""
    for _, container in containers():
        for variable in container.get("env", ()):
            secret = re.search("TOKEN|KEY|SECRET|PASSWORD", variable["name"])
            assert not secret or "secretKeyRef" in variable["valueFrom"]


def test_no_argument_is_filled_in_by_kubernetes() -> None:
    """What people write reaches the engine as it is: $(HF_TOKEN) in it would be replaced by the token."""
    plan = sample_plan(
        {
            "chat": {
                **ENDPOINTS["chat"],
                "model": {"name": "ft", "base": "qwen3-32b", "weights": "s3://models/$$(HOME)"},
                "adapters": ({"name": "tone", "source": "s3://loras/$(HF_TOKEN)", "rank": 16},),
                "engine_args": {"chat-template": "$(HF_TOKEN) $x $$"},
            }
        }
    )
    workload = next(m for m in render(plan) if m.kind == "Deployment")
    spec = pod_templates(workload)[0]["spec"]
    args, fetch = spec["containers"][0]["args"], spec["initContainers"][0]["command"]

    assert "--chat-template=$$(HF_TOKEN) $$x $$$$" in args
    assert "s3://models/$$$$(HOME)" in args
    assert "s3://loras/$$(HF_TOKEN)/" in fetch


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
