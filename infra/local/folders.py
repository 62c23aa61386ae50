"""Where things live: the state of one checkout, and the one cache folder that all checkouts share."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The folders of one checkout. Nothing is written anywhere else."""

    checkout: Path
    state: Path
    """Everything that belongs to this checkout and goes with `modelunits local down`: git ignores it."""
    cache: Path
    """Tools by version, and what Go downloads and compiles: shared, kept."""

    @property
    def programs(self) -> Path:
        """Return the folder that goes first on PATH."""
        return self.state / "bin"

    @property
    def pulumi_home(self) -> Path:
        """Return Pulumi's own folder: plugins and settings of this checkout, apart from the user's logins."""
        return self.state / "pulumi-home"

    @property
    def pulumi_state(self) -> Path:
        """Return the folder in which Pulumi keeps the stacks of this checkout."""
        return self.state / "state"

    @property
    def cluster(self) -> Path:
        """Return the folder of the local cluster: its data, logs, ports and processes."""
        return self.state / "cluster"

    @property
    def kubeconfig(self) -> Path:
        """Return the kubeconfig of the local cluster."""
        return self.cluster / "kubeconfig.yaml"

    @property
    def tools(self) -> Path:
        """Return the folder of cached tools for this kind of machine."""
        return self.cache / "bin" / f"{operating_system()}-{architecture()}"


def folders(checkout: Path, environment: Mapping[str, str] = os.environ) -> Folders:
    """Return the folders of a checkout."""
    return Folders(
        checkout=checkout.resolve(),
        state=checkout.resolve() / ".modelunits",
        cache=cache_folder(environment),
    )


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Return the cache folder: MODELUNITS_CACHE, else modelunits/ in the user's cache folder."""
    chosen = environment.get("MODELUNITS_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    user_cache = environment.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(user_cache).expanduser().absolute() / "modelunits"


def operating_system() -> str:
    """Return the operating system as release files name it: linux or darwin."""
    return platform.system().lower()


def architecture() -> str:
    """Return the processor as release files name it: amd64 or arm64."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
