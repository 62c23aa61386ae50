"""Measured points correct a predictor: exactly where they were measured, carefully elsewhere.

Why factors are not stored: they are measured over predicted, so that a better predictor must change them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import exp, log

from infra.capacity.load import Load
from infra.capacity.steps import Label

Predict = Callable[[Load, int], tuple[float, float]]
"""TTFT and TPOT in milliseconds of a load at a concurrency."""

SAME_SHAPE = 0.10
"""Shapes whose lengths differ by no more than this share are one: the acceptance bound of `measured`."""

FAR = 4.0
"""Beyond this ratio of lengths a run says nothing of another load: other parts of a step decide there."""

TTFT_BAND = 1.5
"""Beyond this ratio of concurrencies or lengths a TTFT factor says nothing.

Why so narrow: TTFT is waiting for others' prefills, which grows with the load. A fit of TTFT over two load
levels raised its error to 150 % on 745 public vLLM points; TPOT, fitted alike, gained.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What was measured at one load level."""

    load: Load
    concurrency: int
    ttft_ms: float | None
    """None where requests came at a rate: their waits are of that arrival process."""
    tpot_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A measured point beside what the calculator says of that very run; milliseconds."""

    point: Point
    ttft_ms: float
    tpot_ms: float


@dataclass(frozen=True, slots=True)
class _Factor:
    """Logarithms of measured over predicted, of points of one shape at one concurrency."""

    concurrency: int
    ttft: float | None
    tpot: float


@dataclass(frozen=True, slots=True)
class _Curve:
    """The factors of one shape, by rising concurrency."""

    loads: tuple[Load, ...]
    factors: tuple[_Factor, ...]

    def distance(self, load: Load) -> float:
        """Return how far a load is beyond being the same shape; 0 where it is the same."""
        return max(0.0, min(_distance(load, own) for own in self.loads) - log(1 + SAME_SHAPE))


@dataclass(frozen=True, slots=True)
class Calibration:
    """Factors that turn predictions into what the measured points say; 1 where they say nothing."""

    points: tuple[Point, ...]
    _curves: tuple[_Curve, ...]
    lora_factor: float | None = None
    """Step time with adapters in use over without, of the runs that used some; None where none did."""

    def tpot_factor(self, load: Load, concurrency: int) -> float:
        """Return measured over predicted TPOT: interpolated between load levels, held beyond them.

        Other shapes have the factors of the measured ones, the nearer the more.
        """
        curves = [
            (curve.distance(load), _tpot(curve.factors, concurrency))
            for curve in self._curves
            if curve.distance(load) < log(FAR)
        ]
        same = [factor for distance, factor in curves if distance == 0]
        if same:
            return exp(sum(same) / len(same))
        weights = sum(distance**-2 for distance, _ in curves)
        return exp(sum(factor * distance**-2 for distance, factor in curves) / weights) if curves else 1.0

    def ttft_factor(self, load: Load, concurrency: int) -> float:
        """Return measured over predicted TTFT at a calibrated load level; it fades to 1 within TTFT_BAND."""
        faded = [
            (1 - curve.distance(load) / log(TTFT_BAND), _ttft(curve.factors, concurrency))
            for curve in self._curves
            if curve.distance(load) < log(TTFT_BAND)
        ]
        nearest = max((near for near, _ in faded), default=0.0)
        chosen = [near * factor for near, factor in faded if near == nearest]
        return exp(sum(chosen) / len(chosen)) if chosen else 1.0

    def measured(self, load: Load, concurrency: int) -> bool:
        """Say whether this was measured: the same concurrency, and every length within SAME_SHAPE."""
        return load.adapters == 0 and any(
            point.concurrency == concurrency and point.ttft_ms is not None and same_shape(load, point.load)
            for point in self.points
        )

    def label(self, load: Load, concurrency: int) -> Label | None:
        """Return how numbers came to be after the factors; None where no point is near enough to say."""
        if not any(curve.distance(load) < log(FAR) for curve in self._curves):
            return None
        return "measured" if self.measured(load, concurrency) else "calibrated"


def calibration(points: Sequence[Point], predict: Predict) -> Calibration:
    """Return the factors of some points against a predictor of steady states, asked once for each."""
    compared = []
    for point in points:
        ttft_ms, tpot_ms = predict(point.load, point.concurrency)
        compared.append(Compared(point=point, ttft_ms=ttft_ms, tpot_ms=tpot_ms))
    return calibration_of(compared)


def calibration_of(compared: Sequence[Compared]) -> Calibration:
    """Return the factors of runs that the calculator has followed from their first request on.

    Why it matters: a benchmark begins with all its requests at once, and its mean TTFT is up to five times
    that of a steady state; held against a steady state, a perfect prediction would get that factor.
    """
    points = tuple(one.point for one in compared)
    plain = [one for one in compared if not one.point.load.adapters]
    known = Calibration(points, tuple(_curve(shape) for shape in _shapes(plain)))
    slower = [
        log(one.point.tpot_ms / one.tpot_ms / known.tpot_factor(one.point.load, one.point.concurrency))
        for one in compared
        if one.point.load.adapters
    ]
    # Without a plain run beside it, a slower run may tell of the kernels as well.
    return replace(known, lora_factor=max(1.0, exp(_mean(slower)))) if slower and plain else known


def same_shape(one: Load, other: Load) -> bool:
    """Say whether two loads are one shape: every length within SAME_SHAPE of the other's."""
    return _distance(one, other) <= log(1 + SAME_SHAPE)


def _shapes(compared: Sequence[Compared]) -> list[list[Compared]]:
    """Return the points by shape: each within SAME_SHAPE of another of its own, and of no other's."""
    shapes: list[list[Compared]] = []
    for one in compared:
        near = [s for s in shapes if any(same_shape(one.point.load, p.point.load) for p in s)]
        shapes = [shape for shape in shapes if shape not in near]
        shapes.append([one, *(other for shape in near for other in shape)])
    return shapes


def _curve(shape: Sequence[Compared]) -> _Curve:
    """Return the factors of one shape; several at a concurrency give their geometric mean."""
    ttfts: dict[int, list[float]] = {}
    tpots: dict[int, list[float]] = {}
    for one in shape:
        point = one.point
        tpots.setdefault(point.concurrency, []).append(log(point.tpot_ms / one.tpot_ms))
        if point.ttft_ms is not None:
            ttfts.setdefault(point.concurrency, []).append(log(point.ttft_ms / one.ttft_ms))
    return _Curve(
        tuple(dict.fromkeys(one.point.load for one in shape)),
        tuple(
            _Factor(level, _mean(ttfts[level]) if level in ttfts else None, _mean(tpots[level]))
            for level in sorted(tpots)
        ),
    )


def _tpot(factors: Sequence[_Factor], concurrency: int) -> float:
    """Interpolate over the logarithm of concurrency; hold the first and the last."""
    below = [factor for factor in factors if factor.concurrency <= concurrency]
    above = [factor for factor in factors if factor.concurrency >= concurrency]
    if not below or not above:
        return (below[-1] if below else above[0]).tpot
    low, high = below[-1], above[0]
    if low.concurrency == high.concurrency:
        return low.tpot
    share = log(concurrency / low.concurrency) / log(high.concurrency / low.concurrency)
    return low.tpot + share * (high.tpot - low.tpot)


def _ttft(factors: Sequence[_Factor], concurrency: int) -> float:
    """Fade from the levels on both sides; between levels nearer than TTFT_BAND that is interpolation."""
    known = [(factor.concurrency, factor.ttft) for factor in factors if factor.ttft is not None]
    below = [(level, factor) for level, factor in known if level <= concurrency][-1:]
    above = [(level, factor) for level, factor in known if level > concurrency][:1]
    sides = (*below, *above)
    span = min([log(TTFT_BAND), *(log(above[0][0] / level) for level, _ in below if above)])
    return sum(factor * max(0.0, 1 - abs(log(concurrency / level)) / span) for level, factor in sides)


def _distance(one: Load, other: Load) -> float:
    """Return the largest logarithm of a ratio of lengths: new tokens in, all tokens in, tokens out."""
    return max(
        abs(log(one.new_tokens / other.new_tokens)),
        abs(log(one.input_tokens / other.input_tokens)),
        abs(log(one.output_tokens / other.output_tokens)),
    )


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
