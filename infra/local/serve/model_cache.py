"""The tiny model and its adapters as files in the cache folder: written once, whole or not there."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from infra.local.folders import cache_folder
from infra.local.serve import tiny_model
from infra.plan.model import Adapter


def model_folder() -> Path:
    """Return the folder of the model."""
    return _written(f"model-{_version()}", tiny_model.model_files)


def adapter_folder(adapter: Adapter) -> Path:
    """Return the folder of a LoRA adapter of the model: random, but always the same for a name."""
    name = f"adapter-{adapter.name}-{adapter.rank}-{_version()}"
    return _written(name, lambda: tiny_model.adapter_files(adapter))


def _written(name: str, files: Callable[[], Mapping[str, bytes]]) -> Path:
    folder = cache_folder(os.environ) / "tiny-model" / name
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.parent))
    try:
        for file, content in files().items():
            (unfinished / file).write_bytes(content)
        unfinished.chmod(0o755)
        unfinished.rename(folder)
    except OSError:
        if not folder.exists():  # another run may have written the same
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _version() -> str:
    """Return a digest of the code that makes the files."""
    folder = Path(__file__).parent
    sources = (folder / f"{name}.py" for name in ("tiny_model", "tiny_vocabulary"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:8]
