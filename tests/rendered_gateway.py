"""A stack with a gateway that limits, judges and has a Gateway in front, rendered."""

from dataclasses import replace

from rendered import ENDPOINTS
from samples import sample_plan

from infra.render.make import Manifest, render

IMAGE = "registry.example.com/modelunits:0.1.0"

JUDGED = {"words": ("forbidden phrase",), "url": "http://moderator.tools:9000"}

LIMITED = {
    "chat": {
        **ENDPOINTS["chat"],
        "limits": {"tokens_per_minute": 400_000, "queue": 100, "per_key": {"concurrency": 8}},
    },
    "agent": ENDPOINTS["agent"],
}
PLAN = sample_plan(
    LIMITED,
    gateway={
        "image": IMAGE,
        "host": "llm.example.com",
        "parent": {"namespace": "ingress", "name": "public"},
    },
    moderation=JUDGED,
)
MANIFESTS = render(PLAN)
TLS_MANIFESTS = render(
    sample_plan(
        LIMITED,
        gateway={"image": IMAGE, "host": "llm.example.com", "tls": {"issuer": {"name": "letsencrypt"}}},
        moderation=JUDGED,
    )
)
"""The same with a certificate of its own, and nothing in front."""

BARE_PLAN = replace(
    sample_plan({"agent": ENDPOINTS["agent"]}, gateway={"image": IMAGE}, moderation=JUDGED), endpoints=()
)
"""A gateway without an endpoint, and so without limits and moderation."""


def one(kind: str, name: str, manifests: tuple[Manifest, ...] = MANIFESTS) -> Manifest:
    """Return the object of a kind and name in the gateway's namespace."""
    (found,) = (m for m in manifests if (m.kind, m.name, m.namespace) == (kind, name, "modelunits-test"))
    return found
