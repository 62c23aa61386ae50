"""The base of everything people write: strict, frozen, no unknown keys."""

from collections.abc import Mapping
from typing import Annotated, TypeVar

from immutabledict import immutabledict
from pydantic import AfterValidator, BaseModel, ConfigDict, PlainSerializer, StringConstraints

K = TypeVar("K")
V = TypeVar("V")


class Spec(BaseModel):
    """A frozen value read from YAML.

    Why: a misspelt key that is dropped silently changes a bill; so unknown keys are refused.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )


def _freeze(mapping: Mapping[K, V]) -> Mapping[K, V]:
    return immutabledict(mapping)


FrozenMap = Annotated[Mapping[K, V], AfterValidator(_freeze), PlainSerializer(dict)]
"""A mapping that cannot be changed, and that can be hashed."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$")]
"""A name that becomes part of Kubernetes names: 30 characters leave room for suffixes."""

CatalogName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?$")]
"""A name of a model, machine, template or tier."""

Person = Annotated[str, StringConstraints(min_length=2, max_length=64)]
"""Who answers for a decision: a user name or an address."""

Reason = Annotated[str, StringConstraints(min_length=8, max_length=300)]
"""Why a safeguard is off, in words that a reviewer can weigh."""
