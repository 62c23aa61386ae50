"""Fit the calculator's constants to measured rows, with all models and with each left out; print them.

Run it after the curves or the engine change, and write what it prints into infra/capacity/fitted.py.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace
from math import exp, log

from capacity_rows import Serving, predict, serving
from scipy.optimize import minimize

from infra.capacity.fitted import Constants

FREE = (
    "step_ms",
    "sequence_ms",
    "client_ms",
    "frontend_ms",
    "frontend_ms_per_token",
    "mixed_factor",
    "unpacking_factor",
    "launch_ms_per_layer",
)
START = Constants(
    step_ms=0.3,
    sequence_ms=0.01,
    client_ms=5.0,
    frontend_ms=0.5,
    frontend_ms_per_token=0.002,
    mixed_factor=1.0,
    unpacking_factor=1.0,
    launch_ms_per_layer=0.3,
)
"""Plain guesses, so that what rows do not tell is not carried over from rows that were left out."""
MOST_CONCURRENCY = 64
"""Rows beyond differ in what they were run with: vLLM 0.11 against 0.15 and later."""
QUEUED_TTFT_MS = 4000
"""Rows beyond wait for room: their TTFT tells of memory, not of steps."""
EVERY = 3
"""Share of the rows that is fitted, to be quick; all are scored."""
ROUNDS = 220
FIRST_STEP = 0.25
"""Of a constant's logarithm."""


def main() -> int:
    """Print constants fitted on all models, then without each."""
    rows = [
        row
        for row in serving()
        if row.concurrency <= MOST_CONCURRENCY and row.osl == 1024 and row.measured.ttft_ms < QUEUED_TTFT_MS
    ]
    models = sorted({row.model for row in rows})
    for left_out in sys.argv[1:] or ["", *models]:
        found = fit([row for row in rows if row.model != left_out][::EVERY])
        print(f"without {left_out or 'none'}: {found}", flush=True)
    return 0


def fit(rows: Sequence[Serving]) -> Constants:
    """Return the constants that bring predictions nearest to rows."""
    # What the rows do not tell stays as it is: dense models say nothing of unpacked experts.
    at_start = loss(rows, START)
    free = [n for n in FREE if loss(rows, replace(START, **{n: 2 * getattr(START, n)})) != at_start]

    def constants(logs: Sequence[float]) -> Constants:
        return replace(
            START, **{name: float(f"{exp(value):.3g}") for name, value in zip(free, logs, strict=True)}
        )

    origin = [log(getattr(START, name)) for name in free]
    corners = [[x + FIRST_STEP * (i == j) for j, x in enumerate(origin)] for i in range(len(origin))]
    found = minimize(
        lambda logs: loss(rows, constants(logs)),
        origin,
        method="Nelder-Mead",
        options={"maxfev": ROUNDS, "initial_simplex": [origin, *corners]},
    )
    return constants(found.x)


def loss(rows: Sequence[Serving], constants: Constants) -> float:
    """Return the mean absolute logarithm of predicted over measured; TPOT counts twice."""
    total = 0.0
    for row in rows:
        found = predict.__wrapped__(row, constants)
        if found is not None:
            total += abs(log(found.ttft_ms / row.measured.ttft_ms))
            total += 2 * abs(log(found.tpot_ms / row.measured.tpot_ms))
    return total / len(rows)


if __name__ == "__main__":
    raise SystemExit(main())
