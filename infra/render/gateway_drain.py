"""How a gateway that is told to stop lets its streams finish, and no longer than that."""

from infra.render.gateway.listeners import CALLERS
from infra.render.gateway.place import Address

DRAIN = """\
import sys, time, urllib.request
admin, stat, settle, most = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
def ask(path, **options):
    request = urllib.request.Request(f"http://{admin}{path}", **options)
    return urllib.request.urlopen(request, timeout=5).read().decode()
end = time.monotonic() + most
try:
    ask("/healthcheck/fail", method="POST")
    time.sleep(settle)
    while time.monotonic() < end and ask(f"/stats?filter=^{stat}$").strip() != f"{stat}: 0":
        time.sleep(1)
except OSError as error:
    print(f"Envoy does not answer: {error}")
"""
"""Answers say `Connection: close` from now on; it waits until no node sends requests, then for the last one.

Why a script: Envoy ends at once when told to, its image has no shell, and a fixed pause would have to be as
long as the longest stream.
"""


def drain_command(admin: Address, settle_seconds: int, most_seconds: int) -> list[str]:
    """Return the command for a container with Python beside Envoy's."""
    stat = f"http.{CALLERS}.downstream_rq_active"
    return ["python", "-c", DRAIN, f"{admin.host}:{admin.port}", stat, str(settle_seconds), str(most_seconds)]
