"""vLLM flags that people wrote, held against the pinned version's flags and against what is not theirs."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from infra.capacity.roles import read_size
from infra.catalog.model import EngineFlags, Flag
from infra.plan.model import EngineArgFact
from infra.spec.endpoint import EngineArg

_MODEL, _ROLES, _SERVER = "model", "the template's roles", "Model Units, which runs the server"

OWNERS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("model", "revision", "load-format"), _MODEL),
        "served-model-name": "the file's name",
        "hf-token": "the Secret hf-token of the team's namespace, so that no file holds it",
        **dict.fromkeys(
            (
                "tensor-parallel-size",
                "pipeline-parallel-size",
                "prefill-context-parallel-size",
                "distributed-executor-backend",
                "nnodes",
                "node-rank",
                "master-addr",
                "master-port",
                "headless",
            ),
            _ROLES,
        ),
        "mm-encoder-only": "the template's shape",
        "enable-mm-embeds": "the template's shape",
        "shutdown-timeout": "the template's drain_timeout",
        "kv-transfer-config": "the template's kv_transfer",
        "ec-transfer-config": "the template's ec_transfer",
        **dict.fromkeys(("enable-lora", "lora-modules", "max-loras", "max-lora-rank"), "adapters"),
        "enable-prefix-caching": "Model Units, which always caches prefixes",
        "scheduling-policy": "Model Units, which takes requests in the order in which they come",
        **dict.fromkeys(
            (
                "api-key",
                "config",
                "enable-force-include-usage",
                "enable-scale-out",
                "enable-ssl-refresh",
                "grpc",
                "grpc-port",
                "host",
                "middleware",
                "port",
                "root-path",
                "uds",
            ),
            _SERVER,
        ),
    }
)
"""Who decides a flag that neither a template nor an endpoint may write."""

_READ_BY_THE_PLAN: Mapping[str, tuple[Callable[[EngineArg], bool], str]] = MappingProxyType(
    {
        "gpu-memory-utilization": (
            lambda value: isinstance(value, int | float) and 0 < value <= 1,
            "a number above 0 and at most 1",
        ),
        "max-num-seqs": (lambda value: read_size(value) is not None, "a whole number from 1, such as 256"),
        "max-model-len": (
            lambda value: value in (-1, "-1", "auto") or read_size(value) is not None,
            "a whole number from 1, such as 32768 or 32k, or auto",
        ),
    }
)
"""Flags that decide memory: where the plan cannot read one, it would count with the default instead."""

_OWNED_PREFIXES = {"data-parallel-": _ROLES, "ssl-": _SERVER}


def owner(name: str) -> str | None:
    """Return what decides a flag that Model Units owns, or None where people may write it."""
    positive = name.removeprefix("no-")
    by_prefix = (said for prefix, said in _OWNED_PREFIXES.items() if positive.startswith(prefix))
    return OWNERS.get(positive) or next(by_prefix, None)


def added(*written: Mapping[str, EngineArg], flags: EngineFlags) -> Mapping[str, EngineArg]:
    """Return the flags that people may write and wrote; later ones win.

    Why only exact names: vLLM takes abbreviations and short names, which would go around what is owned.
    """
    merged: dict[str, EngineArg] = {}
    for values in written:
        merged |= {
            name: value for name, value in values.items() if name in flags.flags and owner(name) is None
        }
    return merged


def engine_arg_facts(
    written: Mapping[str, Mapping[str, EngineArg]], flags: EngineFlags, max_context: int
) -> tuple[EngineArgFact, ...]:
    """Return what is known about every written flag, by where it was written.

    `max_context` is the model's, in tokens.
    """
    return tuple(
        _fact(name, value, place, flags, max_context)
        for place, values in written.items()
        for name, value in sorted(values.items())
    )


def _fact(name: str, value: EngineArg, place: str, flags: EngineFlags, max_context: int) -> EngineArgFact:
    flag = flags.flags.get(name)
    return EngineArgFact(
        name=name,
        written_in=place,
        known=flag is not None,
        nearest=None if flag else _nearest(name, flags),
        owned_by=owner(name),
        problem=next(_mistakes(name, value, flag, max_context), None) if flag else None,
    )


def _nearest(name: str, flags: EngineFlags) -> str | None:
    bare = name.lstrip("-").replace("_", "-")
    if bare in flags.flags:
        return bare
    for known, flag in flags.flags.items():
        if bare in flag.aliases or (flag.negatable and bare == f"no-{known}"):
            return known
    return next(iter(get_close_matches(bare, flags.flags, n=1)), None)


def _mistakes(name: str, value: EngineArg, flag: Flag, max_context: int) -> Iterator[str]:
    if flag.takes == "nothing":
        if not isinstance(value, bool):
            yield f"must be true or false, got {value}"
        elif not value and not flag.negatable:
            yield f"must be true, or left out: there is no --no-{name}"
    elif isinstance(value, bool):
        yield f"must have a value, got {str(value).lower()}"
    elif (wanted := _READ_BY_THE_PLAN.get(name)) and not wanted[0](value):
        yield f"must be {wanted[1]}, got {value}"
    elif flag.choices and str(value) not in (choices := [str(choice) for choice in flag.choices]):
        yield f"must be one of {', '.join(choices)}, got {value}"
    elif name == "max-model-len" and (read_size(value) or 0) > max_context:
        yield f"must be at most {max_context}, the longest context of the model, got {value}"
