"""The base of everything people write: strict, frozen, no unknown keys."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Self, TypeVar
from urllib.parse import urlsplit

from immutabledict import immutabledict
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    WrapSerializer,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

K = TypeVar("K")
V = TypeVar("V")
Path = tuple[str | int, ...]
Complaint = tuple[Path, str]
"""The place inside a value that disagrees with another, and what is said of it."""


class Spec(BaseModel):
    """A frozen value read from YAML.

    Why: a misspelt key that is dropped silently changes a bill; so unknown keys are refused.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
        defer_build=True,
    )

    def complaints(self) -> Iterable[Complaint]:
        """Return what is wrong between fields that are right in themselves."""
        return ()

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        found = [
            InitErrorDetails(
                type=PydanticCustomError("disagree", "{said}", {"said": said}), loc=place, input=None
            )
            for place, said in self.complaints()
        ]
        if found:
            raise ValidationError.from_exception_data(type(self).__name__, found)
        return self


def address_complaints(place: Path, url: str) -> Iterable[Complaint]:
    """Say that an address has the form of one, and yet nobody can be asked there."""
    try:
        parts = urlsplit(url)
        asked = bool(parts.hostname) and parts.port != 0
    except ValueError:
        asked = False
    if not asked:
        yield place, "must have a host, and a port from 1 to 65535 where it names one"


def repeated(names: Iterable[str]) -> Iterable[tuple[int, str]]:
    """Return every name that stands a second time, with its place in the list."""
    seen: set[str] = set()
    for index, name in enumerate(names):
        if name in seen:
            yield index, name
        seen.add(name)


def _freeze(mapping: Mapping[K, V]) -> Mapping[K, V]:
    return immutabledict(mapping)


def _thaw(mapping: Mapping[K, V], write: SerializerFunctionWrapHandler) -> object:
    return write(dict(mapping))


FrozenMap = Annotated[Mapping[K, V], AfterValidator(_freeze), WrapSerializer(_thaw)]
"""A mapping that cannot be changed, and that can be hashed."""

NAME = r"^[a-z]([-a-z0-9]{0,28}[a-z0-9])?$"
CATALOG_NAME = r"^[a-z0-9]([-.a-z0-9]{0,61}[a-z0-9])?$"
MODEL_NAME = r"^[A-Za-z0-9][-A-Za-z0-9_./]{0,95}$"
"""Wider than the catalog's names: who writes a model's name on Hugging Face is told the catalog's."""
EXTENDS_TARGET = rf"^{NAME[1:-1]}/{NAME[1:-1]}$"
_HF_NAME = r"[A-Za-z0-9_][-A-Za-z0-9_.]{0,95}"
_CLAIM = r"[a-z0-9]([-a-z0-9]{0,55}[a-z0-9])?"
"""Short enough for the name of the volume that mounts it."""
_PATH = r"(/[A-Za-z0-9_][-A-Za-z0-9_.]*)*"
"""Without `..`, which Kubernetes refuses."""
WEIGHTS = (
    rf"^(hf://{_HF_NAME}(/{_HF_NAME})?(@[A-Za-z0-9][-A-Za-z0-9_./]*)?"
    rf"|s3://[A-Za-z0-9][-A-Za-z0-9_.]*(/[^\s]*)?"
    rf"|pvc://{_CLAIM}{_PATH})$"
)
"""An engine reads its model from the first word, so that none may begin with a dash."""
URL = r"^https?://[^\s/@]+(/[^\s]*)?$"
"""Without a user's name and password: addresses are readable by everybody who may see the objects."""
CURRENCY = r"^[A-Z]{3}$"
WORD = r"^[^\s]+$"
Image = Annotated[str, StringConstraints(pattern=WORD)]
KUBERNETES_NAME = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
_HOST_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
HOST = rf"^{_HOST_LABEL}(\.{_HOST_LABEL})+$"

PATTERN_WORDS = {
    NAME: "must be 1 to 30 lower-case letters, digits or hyphens, a letter first and no hyphen last",
    CATALOG_NAME: "must be 1 to 63 lower-case letters, digits, dots or hyphens, the last two only inside",
    MODEL_NAME: "must be a name of the catalog, such as qwen3-32b",
    EXTENDS_TARGET: "must be <stack>/<endpoint>, such as dev/chat",
    WEIGHTS: "must be hf://<owner>/<name>[@<revision>], s3://<bucket>/<prefix> or pvc://<claim>/<path>",
    URL: "must be an http:// or https:// address without spaces, user name and password",
    CURRENCY: "must be a currency code of three capitals, such as USD",
    WORD: "must be one word without spaces",
    KUBERNETES_NAME: "must be 1 to 63 lower-case letters, digits or hyphens, no hyphen first or last",
    HOST: "must be a host name in lower case with a dot in it, such as llm.example.com",
}
"""What each pattern asks for, in words."""

Name = Annotated[str, StringConstraints(pattern=NAME)]
"""A name that becomes part of Kubernetes names: 30 characters leave room for suffixes."""

CatalogName = Annotated[str, StringConstraints(pattern=CATALOG_NAME)]
"""A name of a machine, template or tier, or of a model of one's own."""

ModelName = Annotated[str, StringConstraints(pattern=MODEL_NAME)]
"""A name of a model in the catalog."""

Person = Annotated[str, StringConstraints(min_length=2, max_length=64)]
"""Who answers for a decision: a user name or an address."""

Reason = Annotated[str, StringConstraints(min_length=8, max_length=300)]
"""Why a safeguard is off, in words that a reviewer can weigh."""
