"""From YAML to YAML: what people write in a small project, and every object that comes of it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from infra.cli.main import app

MANIFESTS = Path(__file__).parent / "manifests"
CASES = sorted(case.name for case in MANIFESTS.iterdir())

TOO_LONG = ("configmap-gateway-config.yaml", "configmap-dashboard.yaml")
"""Nobody would read them here; tests hold them against Envoy itself, and against Prometheus."""


def _render(case: str, out: Path) -> None:
    arguments = [
        "render",
        "test",
        "--root",
        str(MANIFESTS / case),
        "--out",
        str(out),
        "--as-of",
        "2026-11-21",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output


def _texts(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text(encoding="utf-8")
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name not in TOO_LONG
    }


@pytest.mark.parametrize("case", CASES)
def test_objects_are_those_of_the_golden_folder(
    case: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Every object is rendered to the byte, and no other; the folder is what `modelunits render` writes."""
    expected = MANIFESTS / case / "expected"
    if request.config.getoption("--update-golden"):
        _render(case, expected)
        for file in expected.rglob("*"):
            if file.name in TOO_LONG:
                file.unlink()
    _render(case, tmp_path)

    assert _texts(expected) == _texts(tmp_path)
