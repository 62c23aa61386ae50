"""The door in front of a stack's endpoints, and who judges what passes through it."""

from collections.abc import Iterable, Iterator

from infra import names
from infra.plan.model import EndpointPlan, GatewayPlan, Guard, Judges
from infra.problems import Problem, allowed
from infra.spec.environment import Environment
from infra.spec.gateway import Gateway
from infra.spec.stack import Stack

RULE = "moderation-guard"

OWN_CERTIFICATE = "gateway-tls"
"""The Secret that cert-manager keeps, where the environment names an issuer."""


def gateway_plan(stack: Stack, endpoints: Iterable[EndpointPlan]) -> GatewayPlan | None:
    """Return the door of a stack; None where the environment has none."""
    gateway = stack.environment.value.gateway
    if gateway is None:
        return None
    counted = tuple(endpoints)
    issuer = gateway.tls.issuer if gateway.tls else None
    return GatewayPlan(
        namespace=names.gateway_namespace(stack.name),
        image=gateway.image,
        host=gateway.host,
        url=base_url(stack.name, gateway),
        replicas=gateway.replicas,
        tls_secret=(gateway.tls.secret or OWN_CERTIFICATE) if gateway.tls else None,
        issuer_kind=issuer.kind if issuer else None,
        issuer_name=issuer.name if issuer else None,
        parent_namespace=gateway.parent.namespace if gateway.parent else None,
        parent_name=gateway.parent.name if gateway.parent else None,
        drain_timeout_seconds=max(
            (each.request_timeout_seconds + each.startup_timeout_seconds for each in counted), default=0
        ),
        judges=_judges(stack.environment.value, counted),
    )


def base_url(stack: str, gateway: Gateway) -> str:
    """Return the base URL of OpenAI clients."""
    encrypted = gateway.tls is not None or gateway.parent is not None
    host = gateway.host or f"{names.GATEWAY}.{names.gateway_namespace(stack)}.svc"
    return f"{'https' if encrypted else 'http'}://{host}/v1"


def judge_kinds(environment: Environment) -> tuple[str, ...]:
    """Return the kinds of judges that the door can ask; none where there is no door."""
    written = environment.moderation
    if environment.gateway is None or written is None:
        return ()
    return tuple(kind for kind in ("words", "patterns", "url", "guard") if getattr(written, kind))


def guard_problems(stack: Stack, endpoints: Iterable[EndpointPlan]) -> Iterator[Problem]:
    """Say that the guard is no endpoint of the stack, would judge itself, or may sleep."""
    moderation = stack.environment.value.moderation
    if moderation is None or moderation.guard is None:
        return
    by_name = {each.name: each for each in endpoints}
    name = moderation.guard.endpoint
    place = ("moderation", "guard", "endpoint")
    if name not in by_name:
        message = f"no endpoint of this stack; {allowed(by_name, name)}"
        yield stack.environment.source.problem(place, message, RULE)
    elif by_name[name].moderation.enabled:
        message = f"endpoint {name} would judge itself: switch its moderation off"
        yield stack.environment.source.problem(place, message, RULE)
    elif by_name[name].units.min == 0:
        message = f"endpoint {name} may sleep, and nothing wakes a judge: write reserved or hourly.min"
        yield stack.environment.source.problem(place, message, RULE)


def _judges(environment: Environment, endpoints: Iterable[EndpointPlan]) -> Judges | None:
    written = environment.moderation
    if written is None:
        return None
    by_name = {each.name: each for each in endpoints}
    guard = by_name.get(written.guard.endpoint) if written.guard else None
    return Judges(
        words=written.words,
        patterns=written.patterns,
        url=written.url,
        guard=Guard(endpoint_id=guard.id, upstream=guard.upstream, flags=written.guard.flags)
        if guard and written.guard
        else None,
        timeout_seconds=written.timeout.total_seconds(),
    )
