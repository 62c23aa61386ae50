"""Build programs with Go from the modules that `infra/local/go/` pins, and find files of those modules."""

import json
import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from infra.local.parts import Part
from infra.local.progress import Step

GO_FOLDER = Path(__file__).parent / "go"


class GoError(Exception):
    """Go is missing, too old, or could not do what was asked; says what to do."""


def go_environment(cache: Path, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of every go command: what it keeps goes into the cache folder.

    Why: `make down` promises that nothing is left outside of it. A user's own module and build caches
    are used.
    """
    config = Path(environment.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return {
        "GOMODCACHE": str(cache / "go" / "mod"),
        "GOCACHE": str(cache / "go" / "build"),
        "GOENV": str(config / "go" / "env"),  # still where `go env -w` wrote a user's proxy
        **environment,
        "GOPATH": str(cache / "go" / "path"),
        "XDG_CONFIG_HOME": str(cache / "go" / "config"),  # Go's counters of its own use
        "GOFLAGS": "-mod=readonly",
        "GOWORK": "off",
        "CGO_ENABLED": "0",  # no C compiler needed; what the projects' own releases do
    }


def go_directive(folder: Path) -> str:
    """Return the Go version that a go.mod asks for."""
    found = re.search(r"^go (\S+)$", (folder / "go.mod").read_text(), re.MULTILINE)
    if found is None:
        raise GoError(f"{folder / 'go.mod'}: no go directive")
    return found.group(1)


def check_go(folder: Path, environment: Mapping[str, str]) -> None:
    """Refuse a missing or too old Go, plainly."""
    wanted = go_directive(folder)
    how = f"install Go {wanted} or newer from https://go.dev/dl/ and put it on PATH"
    go = shutil.which("go", path=environment.get("PATH"))
    if go is None:
        raise GoError(f"Go is not installed: {how}")
    asked = subprocess.run(
        [go, "version"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise GoError(f"Go is too old: {asked.stderr.strip() or asked.stdout.strip()}: {how}")


def build(part: Part, folder: Path, cache: Path, step: Step) -> None:
    """Build a part into a folder."""
    assert part.go_folder is not None
    environment = go_environment(cache)
    module = GO_FOLDER / part.go_folder
    check_go(module, environment)
    linked = " ".join(("-s", "-w", *(f"-X {variable}" for variable in part.set_at_link)))
    command = ["go", "build", "-v", "-trimpath", "-ldflags", linked]
    said: deque[str] = deque(maxlen=20)
    compiled = fetched = 0
    with subprocess.Popen(
        [*command, "-o", str(folder / part.name), part.package],
        cwd=module,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr is not None
        for line in running.stderr:
            said.append(line.rstrip())
            if line.startswith("go: downloading"):
                fetched += 1
                step.say(f"fetched {fetched} modules, now {line.split()[2]}")
            else:
                compiled += 1
                step.say(f"compiled {compiled} packages, now {line.strip()}")
    if running.returncode:
        raise GoError("\n".join((f"go build {part.package} failed:", *said)))


def module_folder(group: str, module: str, cache: Path) -> Path:
    """Return the folder of a pinned module's files, fetched where it is not there yet."""
    environment = go_environment(cache)
    folder = GO_FOLDER / group
    check_go(folder, environment)
    asked = subprocess.run(
        ["go", "mod", "download", "-json", module],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(asked.stdout or "{}")
    if asked.returncode or "Dir" not in answer:
        raise GoError(f"go mod download {module} failed: {answer.get('Error') or asked.stderr.strip()}")
    return Path(answer["Dir"])
