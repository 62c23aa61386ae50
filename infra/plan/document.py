"""The plan as plain data, in names and shapes that stay: what `modelunits plan --format json` prints.

The same dictionaries are the properties of our Pulumi components, so rules read what is documented here.
Why no date and no line numbers in them: what does not change what exists must not look like a change.
"""

from typing import TypeAlias

from infra.plan.model import (
    Cost,
    EndpointPlan,
    GatewayPlan,
    NodePoolPlan,
    Plan,
    Purchase,
    RolePlan,
    TeamPlan,
    Tier,
    Units,
)

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


def document(plan: Plan) -> dict[str, Json]:
    """Return the whole plan."""
    return {
        **fleet_properties(plan),
        "endpoints": [endpoint_properties(endpoint) for endpoint in plan.endpoints],
        "teams": [team_properties(team) for team in plan.teams],
    }


def fleet_properties(plan: Plan) -> dict[str, Json]:
    """Return what concerns all endpoints together."""
    totals = plan.totals
    return {
        "project": plan.project,
        "stack": plan.stack,
        "endpoints": [endpoint.name for endpoint in plan.endpoints],
        "nodes": plan.nodes,
        "gateway": gateway_properties(plan.gateway) if plan.gateway else None,
        "node_pools": [node_pool_properties(pool) for pool in plan.node_pools],
        "quotas": [
            {"team": use.team, "machine": use.machine, "used": use.used, "limit": use.limit}
            for use in plan.quotas
        ],
        "machines": [
            {
                "machine": use.machine,
                "peak": use.peak,
                "max": use.max,
                "reserved_used": use.reserved_used,
                "reserved": use.reserved,
            }
            for use in plan.machines
        ],
        "exemptions": [
            {
                "rule": each.rule,
                "endpoint": each.endpoint,
                "reason": each.reason,
                "owner": each.owner,
                "until": each.until.isoformat(),
            }
            for each in plan.exemptions
        ],
        "totals": {
            "endpoints": totals.endpoints,
            "units": {"min": totals.units_min, "max": totals.units_max},
            "gpus": {"min": totals.gpus_min, "max": totals.gpus_max},
            "machines": {"min": totals.machines_min, "max": totals.machines_max},
            "cost": _cost(totals.cost),
        },
    }


def node_pool_properties(pool: NodePoolPlan) -> dict[str, Json]:
    """Return one node pool."""
    return {
        "name": pool.name,
        "machine": pool.machine,
        "billing": pool.billing,
        "machines_min": pool.machines_min,
        "machines_max": pool.machines_max,
        "gpus_per_machine": pool.gpus_per_machine,
        "gpus_max": pool.gpus_max,
        "instance_types": list(pool.instance_types),
        "node_class": None
        if pool.node_class_name is None
        else {"group": pool.node_class_group, "kind": pool.node_class_kind, "name": pool.node_class_name},
    }


def gateway_properties(gateway: GatewayPlan) -> dict[str, Json]:
    """Return the door in front of the endpoints; the words and patterns of judges are counted, not shown."""
    judges = gateway.judges
    return {
        "namespace": gateway.namespace,
        "image": gateway.image,
        "host": gateway.host,
        "url": gateway.url,
        "replicas": gateway.replicas,
        "tls_secret": gateway.tls_secret,
        "issuer": f"{gateway.issuer_kind}/{gateway.issuer_name}" if gateway.issuer_name else None,
        "parent": f"{gateway.parent_namespace}/{gateway.parent_name}" if gateway.parent_name else None,
        "drain_timeout_seconds": gateway.drain_timeout_seconds,
        "judges": {
            "words": len(judges.words),
            "patterns": len(judges.patterns),
            "url": judges.url,
            "guard": judges.guard.endpoint_id if judges.guard else None,
            "timeout_seconds": judges.timeout_seconds,
        }
        if judges
        else None,
    }


def team_properties(team: TeamPlan) -> dict[str, Json]:
    """Return one team."""
    return {
        "name": team.name,
        "namespace": team.namespace,
        "gpus_max": team.gpus_max,
        "pods_max": team.pods_max,
    }


def endpoint_properties(endpoint: EndpointPlan) -> dict[str, Json]:
    """Return one endpoint."""
    asked = endpoint.throughput
    return {
        "name": endpoint.name,
        "id": endpoint.id,
        "file": endpoint.file,
        "url": endpoint.url,
        "team": endpoint.team,
        "namespace": endpoint.namespace,
        "model": endpoint.model,
        "base_model": endpoint.base_model,
        "weights": endpoint.weights,
        "weights_gib": endpoint.weights_gib,
        "template": endpoint.template,
        "shape": endpoint.shape,
        "engine_version": endpoint.engine_version,
        "image": endpoint.image,
        "router_image": endpoint.router_image,
        "kv_connector": endpoint.kv_connector,
        "ec_connector": endpoint.ec_connector,
        "tier": endpoint.tier.name,
        "performance": _performance(endpoint.tier),
        "step": endpoint.step,
        "groups_per_step": endpoint.groups_per_step,
        "units": _units(endpoint.units),
        "throughput": None
        if asked is None
        else {"min_tps": asked.min_tps, "max_tps": asked.max_tps, "chunk_tps": asked.chunk_tps},
        "purchases": [_purchase(each) for each in endpoint.purchases],
        "roles": [_role(role) for role in endpoint.roles],
        "gpus": {"min": endpoint.gpus_min, "max": endpoint.gpus_max},
        "scaling": {
            "concurrency_per_group": round(endpoint.scaling.concurrency_per_group, 4),
            "reserved_groups": endpoint.scaling.reserved_groups,
            "groups_per_step": endpoint.scaling.groups_per_step,
            "min_groups": endpoint.scaling.min_groups,
            "max_groups": endpoint.scaling.max_groups,
        },
        "sleep_after_seconds": endpoint.scaling.sleep_after_seconds,
        "cost": {**_cost(endpoint.cost), "per_million_tokens": endpoint.cost.per_million_tokens},
        "adapters": [
            {"name": each.name, "source": each.source, "rank": each.rank} for each in endpoint.adapters
        ],
        "features": list(endpoint.features),
        "unsupported_features": list(endpoint.unsupported_features),
        "moderation": {
            "enabled": endpoint.moderation.enabled,
            "reason": endpoint.moderation.reason,
            "confirmed_by": endpoint.moderation.confirmed_by,
            "judges": list(endpoint.moderation.judges),
        },
        "limits": {
            "requests_per_minute": endpoint.limits.requests_per_minute,
            "tokens_per_minute": endpoint.limits.tokens_per_minute,
            "concurrency": endpoint.limits.concurrency,
            "queue": endpoint.limits.queue,
            "per_key": {
                "requests_per_minute": endpoint.limits.per_key.requests_per_minute,
                "tokens_per_minute": endpoint.limits.per_key.tokens_per_minute,
                "concurrency": endpoint.limits.per_key.concurrency,
                "queue": endpoint.limits.per_key.queue,
            },
        },
        "engine_args": [
            {
                "name": fact.name,
                "written_in": fact.written_in,
                "known": fact.known,
                "nearest": fact.nearest,
                "owned_by": fact.owned_by,
                "problem": fact.problem,
            }
            for fact in endpoint.engine_args
        ],
        "startup_timeout_seconds": endpoint.startup_timeout_seconds,
        "drain_timeout_seconds": endpoint.drain_timeout_seconds,
        "weights_cache_gib": endpoint.weights_cache_gib,
    }


def _role(role: RolePlan) -> dict[str, Json]:
    return {
        "name": role.name,
        "machine": role.machine,
        "gpu": role.gpu,
        "gpus": role.gpus,
        "gpus_per_machine": role.gpus_per_machine,
        "machines_per_instance": role.machines_per_instance,
        "instances_per_machine": role.instances_per_machine,
        "count": role.count,
        "tensor_parallel": role.tensor_parallel,
        "pipeline_parallel": role.pipeline_parallel,
        "data_parallel": role.data_parallel,
        "layers": role.layers,
        "attention_heads": role.attention_heads,
        "kv_heads": role.kv_heads,
        "mla": role.mla,
        "replicas": {
            "reserved": role.replicas.reserved,
            "hourly_min": role.replicas.hourly_min,
            "hourly_max": role.replicas.hourly_max,
        },
        "memory": {
            "weights_gib": role.memory.weights_gib,
            "kv_gib": role.memory.kv_gib,
            "adapters_gib": role.memory.adapters_gib,
            "overhead_gib": role.memory.overhead_gib,
            "needed_gib": role.memory.needed_gib,
            "available_gib": role.memory.available_gib,
        },
        "args": list(role.args),
    }


def _performance(tier: Tier) -> dict[str, Json]:
    return {
        "ttft_ms": tier.ttft_ms,
        "tpot_ms": tier.tpot_ms,
        "concurrency_per_group": tier.concurrency_per_group,
        "tps_per_step": round(tier.tps_per_step, 4),
        "tps_per_unit": round(tier.tps_per_unit, 4),
        "label": tier.label,
        "source": tier.source,
    }


def _units(units: Units) -> dict[str, Json]:
    return {
        "reserved": units.reserved,
        "hourly_min": units.hourly_min,
        "hourly_max": units.hourly_max,
        "min": units.min,
        "max": units.max,
    }


def _purchase(purchase: Purchase) -> dict[str, Json]:
    return {
        "id": purchase.id,
        "units": purchase.units,
        "start": purchase.start.isoformat(),
        "auto_renew": purchase.auto_renew,
        "expires_at": purchase.expires_at,
        "reclaimed_at": purchase.reclaimed_at,
        "counts": purchase.counts,
    }


def _cost(cost: Cost) -> dict[str, Json]:
    return {
        "currency": cost.currency,
        "reserved_monthly": cost.reserved_monthly,
        "hourly_min": cost.hourly_min,
        "hourly_max": cost.hourly_max,
    }
