"""A configuration turned into judges."""

import httpx

from infra.moderation.config import Config
from infra.moderation.judges.expressions import Expression
from infra.moderation.judges.guard import GuardModel
from infra.moderation.judges.patterns import patterns
from infra.moderation.judges.protocol import Asker, Matcher
from infra.moderation.judges.url import ModerationService
from infra.moderation.judges.words import words
from infra.moderation.panel import Panel

KEY_VARIABLE = "MODERATION_API_KEY"
"""The environment variable with the key of the service behind `url`."""


def panel(config: Config, *, client: httpx.AsyncClient, key: str | None) -> Panel:
    """Return the judges that a configuration names."""
    matchers: list[Matcher] = []
    if config.words:
        matchers.append(words(config.words))
    if config.patterns:
        matchers.append(patterns(config.patterns))
    askers: list[Asker] = []
    if config.url:
        askers.append(ModerationService(url=config.url, key=key, client=client))
    if config.guard:
        askers.append(
            GuardModel(
                endpoint_id=config.guard.endpoint_id,
                upstream=config.guard.upstream,
                flags=Expression(config.guard.flags),
                client=client,
            )
        )
    return Panel(matchers=tuple(matchers), askers=tuple(askers), timeout_seconds=config.timeout_seconds)


def client() -> httpx.AsyncClient:
    """Return the HTTP client that all judges share; the panel bounds how long an answer may take."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
    return httpx.AsyncClient(timeout=None, limits=limits, trust_env=False, follow_redirects=False)
