"""Waits in front of servers when requests come at random: means and percentiles in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Servers with one line in front of them; every service takes nearly the same time."""

    service_ms: float
    servers: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """The time that a request spends in lines."""

    share: float
    """Of requests that wait at all."""
    mean_ms: float
    """Over all requests."""

    def percentile_ms(self, share: float) -> float:
        """Return the wait that this share of the requests does not exceed; the tail is exponential.

        Exact for Poisson arrivals and exponential service; close above the median for even service
        (Kingman's heavy-traffic limit).
        """
        late = 1 - share
        if self.share <= late or not self.mean_ms:
            return 0.0
        return self.mean_ms / self.share * log(self.share / late)


def waits(queues: Sequence[Queue], rate_per_ms: float) -> Waits:
    """Return the wait through all the lines, one after the other; each is shorter than its servers' limit.

    Mean of one line: Sakasegawa's approximation for many servers, halved because service is even
    (H. Sakasegawa, "An approximation formula Lq = a b^p / (1 - p)", 1977; Allen and Cunneen's factor).
    """
    nobody, mean_ms = 1.0, 0.0
    for queue in queues:
        busy = min(0.999, rate_per_ms * queue.service_ms / queue.servers)
        waiting = busy ** (sqrt(2 * (queue.servers + 1)) - 1)
        nobody *= 1 - waiting
        mean_ms += waiting / (queue.servers * (1 - busy)) * queue.service_ms / 2
    return Waits(share=1 - nobody, mean_ms=mean_ms)
