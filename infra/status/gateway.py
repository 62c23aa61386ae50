"""From what a cluster shows to the state of the gateway, in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from infra import names
from infra.plan.model import GatewayPlan
from infra.status.state import State, Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class PartSeen:
    """A Deployment of the gateway's namespace: the gateway, or what counts for it."""

    name: str
    wanted: int
    ready: int
    trouble: tuple[Trouble, str] | None = None
    """Why its pods do not start, and the cluster's own words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """The gateway now."""

    url: str
    replicas_ready: int
    replicas_wanted: int
    state: State
    detail: str

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be waited for."""
        return self.state == "Healthy"


def gateway_state(gateway: GatewayPlan, parts: Sequence[PartSeen]) -> GatewayState:
    """Return the state of the gateway; Healthy once every pod of every part is ready."""
    state, detail = _judge(parts)
    own = [part for part in parts if part.name == names.GATEWAY]
    return GatewayState(
        url=gateway.url,
        replicas_ready=sum(part.ready for part in own),
        replicas_wanted=gateway.replicas,
        state=state,
        detail=detail,
    )


def _judge(parts: Sequence[PartSeen]) -> tuple[State, str]:
    if not any(part.name == names.GATEWAY for part in parts):
        return "Missing", "nothing of it is in the cluster; run pulumi up"
    lacking = [part for part in parts if part.ready < part.wanted]
    if not lacking:
        return "Healthy", ""
    progress = ", ".join(f"{part.ready} of {part.wanted} {part.name} pods ready" for part in lacking)
    troubles = [part.trouble for part in lacking if part.trouble]
    if troubles:
        return "Degraded", f"{troubles[0][0]}: {troubles[0][1]} ({progress})"
    return "Scheduling", progress
