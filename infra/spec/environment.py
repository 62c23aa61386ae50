"""Facts about a place: `modelunits:environment` in `stacks/Pulumi.<stack>.yaml`."""

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from infra.spec.base import (
    CURRENCY,
    URL,
    CatalogName,
    Complaint,
    FrozenMap,
    Name,
    Person,
    Reason,
    Spec,
    address_complaints,
)
from infra.spec.endpoint import Count
from infra.spec.gateway import Gateway, Moderation
from infra.spec.quantities import MemoryGib

ENVIRONMENT = "modelunits:environment"
"""The key of the environment in Pulumi's stack configuration."""

AS_OF = "modelunits:as-of"
"""The key of the day on which purchases and exemptions count; default: today."""

SETTINGS = (ENVIRONMENT, AS_OF)
"""Our keys in Pulumi's stack configuration; all others belong to others."""


def _known_time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise PydanticCustomError("time_zone", "must be an IANA time zone (UTC, Asia/Shanghai)") from None
    return name


TimeZone = Annotated[str, AfterValidator(_known_time_zone)]


class Cluster(Spec):
    """Which Kubernetes cluster the stack deploys to."""

    context: str | None = Field(default=None, examples=["prod-gpu"])
    """The kubeconfig context; default: the current one."""
    identifier: str | None = Field(default=None, examples=["prod-gpu-1"])
    """The cluster's lasting identity; default: the context. Changing it replaces everything."""


class NodeClass(Spec):
    """The cloud's own node class object that Karpenter launches a machine with; made by the platform team."""

    group: str = Field(examples=["karpenter.k8s.aws"])
    """The API group of the cloud's Karpenter provider."""
    kind: str = Field(examples=["EC2NodeClass"])
    """The kind of the object."""
    name: str = Field(examples=["h20"])
    """The object's name in the cluster."""


class MachineFacts(Spec):
    """A machine of this environment; facts that are not given come from the catalog."""

    node_class: NodeClass | None = None
    """Needed where nodes is karpenter."""
    instance_types: tuple[str, ...] = Field(default=(), examples=[["p5.48xlarge"]])
    """Instance types that Karpenter may launch; default: those of the catalog."""
    reserved: int = Field(default=0, ge=0, le=100_000)
    """Machines paid by the month."""
    max: int = Field(ge=0, le=100_000)
    """Machines at most, reserved ones included."""
    gpu: CatalogName | None = None
    """For a machine that the catalog lacks: its GPU."""
    gpus: int | None = Field(default=None, ge=1, le=64)
    """For a machine that the catalog lacks: GPUs of one machine."""
    memory: MemoryGib | None = None
    """For a machine that the catalog lacks: its main memory."""
    vcpus: int | None = Field(default=None, ge=1)
    """For a machine that the catalog lacks: its CPUs."""

    def complaints(self) -> Iterable[Complaint]:
        """Machines at most are no fewer than those that are paid by the month."""
        if self.reserved > self.max:
            yield ("max",), f"must be at least reserved, {self.reserved}, got {self.max}"


class Team(Spec):
    """A team and what it may use."""

    quota: FrozenMap[CatalogName, Count] = Field(default={}, examples=[{"h20-8": 24}])
    """Units of each machine that the team may reach at peak; a machine not named: none."""


class MachinePrice(Spec):
    """What one whole machine costs."""

    hourly: float = Field(ge=0, examples=[34.0])
    """Of one hour, by the second."""
    monthly: float = Field(ge=0, examples=[15000])
    """Of one reserved month."""


class Prices(Spec):
    """Prices of this environment, by machine; they replace the catalog's public ones."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, MachinePrice]

    currency: str = Field(default="USD", pattern=CURRENCY, examples=["USD"])
    """The currency of every price here."""

    def of(self, machine: str) -> MachinePrice | None:
        """Return the price of a machine, or None where this environment names none."""
        return self.__pydantic_extra__.get(machine)


class Prometheus(Spec):
    """Where the cluster's metrics are; autoscalers ask it for the load."""

    url: str = Field(
        default="http://prometheus.monitoring.svc:9090",
        pattern=URL,
        examples=["http://prometheus-operated.monitoring.svc:9090"],
    )
    """Prometheus' address inside the cluster."""

    def complaints(self) -> Iterable[Complaint]:
        """Autoscalers can ask there."""
        yield from address_complaints(("url",), self.url)


class Exemption(Spec):
    """A rule that does not bind an endpoint for a while, with who answers for it."""

    rule: CatalogName = Field(examples=["unit-step"])
    """The rule's name, as problems show it in brackets."""
    endpoint: Name = Field(examples=["chat"])
    """The endpoint that the rule does not bind."""
    reason: Reason = Field(examples=["migration in two halves"])
    """Why the exemption is safe."""
    owner: Person = Field(examples=["a.lee"])
    """Who answers for it."""
    until: date = Field(examples=["2026-12-31"])
    """The last day on which the exemption holds."""


class Environment(Spec):
    """Facts about a place: cluster, machines, teams, prices."""

    cluster: Cluster = Cluster()
    """Which Kubernetes cluster the stack deploys to."""
    nodes: Literal["karpenter", "existing"]
    """karpenter: we make node pools. existing: nodes and their labels are there already."""
    time_zone: TimeZone = Field(default="UTC", examples=["Asia/Shanghai"])
    """Where the days of purchases begin and end."""
    machines: FrozenMap[CatalogName, MachineFacts] = Field(examples=[{"h20-8": {"max": 20}}])
    """The machines that may be used here, and how many."""
    teams: FrozenMap[Name, Team] = Field(examples=[{"search": {"quota": {"h20-8": 24}}}])
    """The teams that may own endpoints here."""
    prices: Prices = Prices()
    """What machines cost here; a machine not named: the catalog's public price."""
    prometheus: Prometheus = Prometheus()
    """The Prometheus that scrapes the engines."""
    gateway: Gateway | None = None
    """The door in front of every endpoint; without it only pods of the cluster reach endpoints, unjudged."""
    moderation: Moderation | None = None
    """The judges of content moderation; needed where an endpoint does not switch moderation off."""
    exemptions: tuple[Exemption, ...] = ()
    """Rules that do not bind an endpoint for a while."""


def zone(environment: Environment) -> ZoneInfo:
    """Return the environment's time zone."""
    return ZoneInfo(environment.time_zone)
