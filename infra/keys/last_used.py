"""When keys were last used, as the gateways tell. Who cannot be asked is left out, and no command fails."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
from pydantic import BaseModel, ValidationError

from infra.render.gateway.metrics import KEY_LABEL, LAST_REQUEST

LastUsed = Mapping[str, datetime]
"""The last instant by key id."""

ANSWER_SECONDS = 3.0
"""A gateway answers in milliseconds; one that is away should not hold up a list."""

_SERIES = re.compile(rf"^{LAST_REQUEST}\{{(?P<labels>.*)\}} (?P<seconds>[0-9.e+]+)$", re.MULTILINE)
_CLIENT = re.compile(rf'(?:^|,){KEY_LABEL}="[a-z0-9-]+\.(?P<id>k[0-9a-f]+)"')


class Running(BaseModel, frozen=True):
    """What `modelunits local serve` writes about the gateway that it runs."""

    metrics: str
    base_url: str


def last_used(metrics: Iterable[str]) -> LastUsed:
    """Return the latest instant of each key in the metrics of some gateways. Pure."""
    latest: dict[str, float] = {}
    for text in metrics:
        for series in _SERIES.finditer(text):
            if by := _CLIENT.search(series["labels"]):
                latest[by["id"]] = max(float(series["seconds"]), latest.get(by["id"], 0.0))
    return {key_id: datetime.fromtimestamp(seconds, UTC) for key_id, seconds in latest.items() if seconds}


def running(serve_file: Path) -> Running | None:
    """Return the gateway that this machine runs; None where none does."""
    try:
        return Running.model_validate_json(serve_file.read_bytes())
    except (OSError, ValidationError):
        return None


def machine_last_used(gateway: Running | None) -> LastUsed:
    """Return what the gateway of this machine tells."""
    try:
        # The address is of this machine: no proxy knows it.
        answer = httpx.get(gateway.metrics, timeout=ANSWER_SECONDS, trust_env=False) if gateway else None
    except (httpx.HTTPError, httpx.InvalidURL):
        return {}
    return last_used([answer.text] if answer and answer.is_success else [])
