"""Read result files, whichever tool wrote them; every problem of all of them at once."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import ValidationError

from infra.calibration.readers.aiperf import AiPerf
from infra.calibration.readers.base import Report
from infra.calibration.readers.guidellm import GuideLlm
from infra.calibration.readers.inference_perf import InferencePerf
from infra.calibration.readers.llm_d import LlmD
from infra.calibration.readers.vllm_bench import VllmBench
from infra.capacity.measurement import Measurement
from infra.problems import Problem
from infra.spec.locate import dotted, printable
from infra.spec.messages import either, is_type_error, said, wrong_type

REPORTS: tuple[type[Report], ...] = (VllmBench, GuideLlm, AiPerf, InferencePerf, LlmD)

MAX_BYTES = 512 * 1024 * 1024
"""GuideLLM's reports hold every request: hundreds of megabytes are usual, more are another file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A measurement and where it stands."""

    file: str
    place: str
    """Inside the file; empty where it holds one run."""
    digest: str
    """sha256 of the file: what a calibration point points back to."""
    measurement: Measurement

    def problem(self, message: str, rule: str) -> Problem:
        """Return a problem of this measurement."""
        where = f"{self.place}: " if self.place else ""
        return Problem(printable(self.file), 1, 1, where + message, rule)


def read_results(files: Sequence[Path]) -> tuple[tuple[Result, ...], tuple[Problem, ...]]:
    """Return what some files measured, and what of them cannot be read."""
    results: list[Result] = []
    problems: list[Problem] = []
    for path in files:
        try:
            results += _read(path)
        except _UnreadableError as error:
            problems += [Problem(printable(str(path)), 1, 1, text, error.rule) for text in error.args]
    return tuple(results), tuple(problems)


class _UnreadableError(Exception):
    """Why a file cannot be read, in one message or more."""

    def __init__(self, *messages: str, rule: str = "file") -> None:
        super().__init__(*messages)
        self.rule = rule


def _read(path: Path) -> Iterator[Result]:
    data = _bytes(path)
    digest = hashlib.sha256(data).hexdigest()
    documents = _documents(data)
    for index, document in enumerate(documents):
        outer = f"[{index}]" if len(documents) > 1 else ""
        for place, measurement in _report(document, outer).found():
            where = f"{outer}.{place}" if outer and place else outer or place
            yield Result(file=str(path), place=where, digest=digest, measurement=measurement)


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _UnreadableError(f"is {path.stat().st_size:,} bytes long; at most {MAX_BYTES:,} are read")
        return path.read_bytes()
    except OSError as error:
        raise _UnreadableError(f"cannot be read: {error.strerror}") from None


def _documents(data: bytes) -> list[object]:
    """Return what a file holds: JSON, several of them as `--append-result` writes, or YAML."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _UnreadableError("is not UTF-8 text") from None
    try:
        if text.lstrip().startswith(("{", "[")):
            return list(_json(text))
        return [yaml.load(text, Loader=yaml.CSafeLoader)]
    except json.JSONDecodeError as error:
        raise _UnreadableError(f"is not JSON: {error.msg} in line {error.lineno}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise _UnreadableError(f"is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise _UnreadableError("is nested too deeply to be a result") from None


def _json(text: str) -> Iterator[object]:
    decoder = json.JSONDecoder()
    at = len(text) - len(text.lstrip())
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        yield value
        at += len(text[at:]) - len(text[at:].lstrip())


def _report(document: object, place: str) -> Report:
    keys = frozenset(map(str, document)) if isinstance(document, dict) else frozenset()
    kind = next((report for report in REPORTS if report.keys <= keys), None)
    where = f"{place}: " if place else ""
    if kind is None:
        tools = either([report.tool for report in REPORTS])
        raise _UnreadableError(f"{where}is no result file of {tools}", rule="unknown-format")
    try:
        return kind.model_validate(document)
    except ValidationError as invalid:
        messages = []
        for error in invalid.errors(include_url=False):
            text = (
                wrong_type([error], error["input"]) if is_type_error(error) else said(error, error["input"])
            )
            messages.append(f"{where}{dotted(error['loc'])}: {text} ({kind.tool})")
        raise _UnreadableError(*messages, rule="schema") from None
