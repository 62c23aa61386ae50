"""The door in front of every endpoint of a stack, and who judges what passes through it."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Literal
from unicodedata import normalize

import re2
from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from infra.spec.base import HOST, KUBERNETES_NAME, URL, Complaint, Image, Name, Path, Spec, address_complaints
from infra.spec.quantities import Duration

_TEXT: dict[str, JsonValue] = {"type": "string"}
_MAPPING: dict[str, JsonValue] = {"type": "object"}
_ENTRIES: dict[str, JsonValue] = {"minItems": 1}


def _has(key: str, what: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the JSON Schema of mappings that have a key with something in it."""
    return {"required": [key], "properties": {key: what}}


_FILLERS = dict.fromkeys((0x0640, 0x115F, 0x1160))
"""Arabic's stretch and Hangul's empty letters: letters to Unicode, nothing to readers."""

KubernetesName = Annotated[str, StringConstraints(pattern=KUBERNETES_NAME)]


LONGEST_TIMEOUT = timedelta(minutes=10)
"""A caller who waits longer for a judge has left."""


class Issuer(Spec):
    """The cert-manager issuer that signs the gateway's certificate."""

    kind: Literal["ClusterIssuer", "Issuer"] = "ClusterIssuer"
    """Issuer: one of the gateway's own namespace."""
    name: KubernetesName = Field(examples=["letsencrypt"])
    """The issuer's name."""


class Tls(Spec):
    """Where the gateway's certificate comes from."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [_has("secret", _TEXT), _has("issuer", _MAPPING)]})

    secret: KubernetesName | None = Field(default=None, examples=["llm-tls"])
    """A Secret of type kubernetes.io/tls in the gateway's namespace, kept by the platform team."""
    issuer: Issuer | None = None
    """Or: a cert-manager issuer; the certificate is for the gateway's host."""

    def complaints(self) -> Iterable[Complaint]:
        """A certificate has one source."""
        if (self.secret is None) == (self.issuer is None):
            yield (), "write either secret or issuer"


class ParentGateway(Spec):
    """The Gateway API Gateway of the platform, which gets an HTTPRoute to ours."""

    namespace: KubernetesName = Field(examples=["ingress"])
    """Its namespace."""
    name: KubernetesName = Field(examples=["public"])
    """Its name."""


class Gateway(Spec):
    """The door in front of every endpoint: keys, limits, moderation, one address."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                _has("host", _TEXT),
                {"not": {"anyOf": [_has("parent", _MAPPING), _has("tls", _has("issuer", _MAPPING))]}},
            ],
            "not": {"allOf": [_has("parent", _MAPPING), _has("tls", _MAPPING)]},
        }
    )

    image: Image = Field(examples=["registry.example.com/modelunits:0.1.0"])
    """The image that this repository's Containerfile makes: moderator, limiter, and what brings keys over."""
    host: Annotated[str, StringConstraints(pattern=HOST, max_length=253)] | None = Field(
        default=None, examples=["llm.example.com"]
    )
    """The name that callers use; default: the address inside the cluster."""
    replicas: int = Field(default=2, ge=2, le=100)
    """Gateways that run at once; limits of concurrency and queue are divided among them."""
    tls: Tls | None = None
    """The gateway's certificate; default: plain HTTP, for clusters where something in front ends TLS."""
    parent: ParentGateway | None = None
    """The Gateway in front, where there is one; it ends TLS."""

    def complaints(self) -> Iterable[Complaint]:
        """A name is needed by what works with names; TLS ends in one place."""
        if self.tls is not None and self.parent is not None:
            yield ("tls",), "write either tls or parent: a Gateway in front ends TLS itself"
        if self.host is None and self.parent is not None:
            yield ("parent",), "needs host, the name that callers use"
        if self.host is None and self.tls is not None and self.tls.issuer is not None:
            yield ("tls", "issuer"), "needs host, the name that the certificate is for"


class Guard(Spec):
    """A guard model that an endpoint of the same stack serves."""

    endpoint: Name = Field(examples=["guard"])
    """The endpoint; its own moderation is off."""
    flags: str = Field(default=r"(?i)\bunsafe\b", min_length=1, max_length=200)
    """A regular expression; text is refused where it is found in the guard's answer."""


class Moderation(Spec):
    """The judges of content moderation: what one of them refuses is refused."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                _has("words", _ENTRIES),
                _has("patterns", _ENTRIES),
                _has("url", _TEXT),
                _has("guard", _MAPPING),
            ]
        }
    )

    words: tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...] = Field(
        default=(), examples=[["forbidden phrase"]]
    )
    """Words and phrases; case, width and accents do not matter."""
    patterns: tuple[Annotated[str, StringConstraints(min_length=1, max_length=500)], ...] = Field(
        default=(), examples=[[r"\b\d{3}-\d{2}-\d{4}\b"]]
    )
    """Regular expressions (RE2)."""
    url: str | None = Field(default=None, pattern=URL, examples=["http://moderator.modelunits:9000"])
    """A service with OpenAI's moderation API below this address, at /v1/moderations."""
    guard: Guard | None = None
    """A guard model of this stack."""
    timeout: Duration = timedelta(seconds=10)
    """How long a judge may take; later it counts as a refusal to answer, and nothing passes."""

    def complaints(self) -> Iterable[Complaint]:
        """A moderation without a judge is none; judges can be asked, and let something pass."""
        for index, word in enumerate(self.words):
            if not any(map(str.isalnum, normalize("NFKC", word).translate(_FILLERS))):
                yield ("words", index), "has no letter and no digit to look for"
        if self.url:
            yield from address_complaints(("url",), self.url)
        if self.timeout > LONGEST_TIMEOUT:
            yield ("timeout",), f"must be at most {LONGEST_TIMEOUT.total_seconds():.0f}s"
        for place, pattern in self._patterns():
            if said := _not_re2(pattern):
                yield place, said
        if not (self.words or self.patterns or self.url or self.guard):
            yield (), "names no judge; write words, patterns, url or guard"

    def _patterns(self) -> Iterable[tuple[Path, str]]:
        yield from ((("patterns", index), pattern) for index, pattern in enumerate(self.patterns))
        if self.guard:
            yield ("guard", "flags"), self.guard.flags


def _not_re2(pattern: str) -> str | None:
    """Say why a pattern is of no use to RE2, which no text can make slow."""
    options = re2.Options()
    options.log_errors = False
    try:
        if re2.compile(pattern, options).search(""):
            return "is found in every text, so it would refuse everything"
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        return f"must be a regular expression of RE2: {said}"
    return None
