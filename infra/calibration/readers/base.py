"""What the readers of result files share."""

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from infra.capacity.measurement import Measurement

Found = tuple[str, Measurement]
"""The place inside a file, empty where it holds one run, and what was measured there."""

MOST = 10**12
"""More of anything than a benchmark counts or waits for: beyond it arithmetic overflows."""

Count = Annotated[int, Field(ge=0, le=MOST)]
Size = Annotated[int, Field(ge=1, le=MOST)]
Positive = Annotated[float, Field(gt=0, le=MOST)]
NotNegative = Annotated[float, Field(ge=0, le=MOST)]


class Part(BaseModel):
    """The part of a tool's output that is read; everything else in it is the tool's own business."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class Report(Part):
    """A whole result file of one tool."""

    tool: ClassVar[str]
    """The tool's name in calibration files and messages."""
    keys: ClassVar[frozenset[str]]
    """Top-level keys that tell its files from others'."""

    def found(self) -> tuple[Found, ...]:
        """Return what was measured."""
        raise NotImplementedError
