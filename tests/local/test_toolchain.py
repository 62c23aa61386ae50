"""Programs are found where they are installed, else fetched and checked, else built; whole or not at all."""

import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.local import go_build, tool_cache
from infra.local.download import Unavailable, checksum_in
from infra.local.folders import Folders, cache_folder, folders
from infra.local.go_build import GoError
from infra.local.parts import CLUSTER, KUBERNETES_PROVIDER, PARTS, PULUMI, Part, Release, compatible
from infra.local.progress import Progress
from infra.local.toolchain import Tool, Toolchain, find

ROOT = Path(__file__).parents[2]
ETCD = next(part for part in CLUSTER if part.name == "etcd")
NOWHERE = "http://127.0.0.1:9"
"""Nothing listens there: what an offline machine sees."""


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """A checkout and a cache of their own, and a PATH on which nothing of ours is installed."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    (tmp_path / "path").mkdir()
    return folders(tmp_path / "checkout", {"MODELUNITS_CACHE": str(tmp_path / "cache")})


@pytest.fixture
def published(tmp_path: Path) -> Iterator[str]:
    """Serve a folder as a project serves its releases; return the address."""
    (tmp_path / "published").mkdir()
    handler = partial(_QuietHandler, directory=str(tmp_path / "published"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the standard library
        """Say nothing."""


@pytest.fixture
def said() -> io.StringIO:
    """What the person at the terminal would read."""
    return io.StringIO()


def _install_fake(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{says}'\n")
    program.chmod(0o755)
    return program


def _publish(tmp_path: Path, content: bytes, checksum: str | None = None) -> None:
    """Publish an archive that holds an etcd, and its checksum."""
    archive = tmp_path / "published" / "etcd.tar.gz"
    with tarfile.open(archive, "w:gz") as files:
        for name, mode in (("etcd-v3.7.3/etcd", 0o755), ("etcd-v3.7.3/README.md", 0o644)):
            member = tarfile.TarInfo(name)
            member.mode, member.size = mode, len(content)
            files.addfile(member, io.BytesIO(content))
    digest = checksum or hashlib.sha256(archive.read_bytes()).hexdigest()
    (tmp_path / "published" / "SHA256SUMS").write_text(f"{'0' * 64}  other.tar.gz\n{digest}  etcd.tar.gz\n")


def _released_at(address: str, part: Part = ETCD) -> Part:
    return replace(part, release=Release(url=f"{address}/etcd.tar.gz", checksums=f"{address}/SHA256SUMS"))


def _no_build(tool: str) -> Callable[..., None]:
    def build(*_: object) -> None:
        raise AssertionError(f"{tool} must not be built")

    return build


def test_an_installed_program_of_a_compatible_version_is_used(where: Folders, tmp_path: Path) -> None:
    """The etcd on PATH has the pinned minor version: nothing is fetched or built."""
    program = _install_fake(tmp_path / "path", "etcd", "etcd Version: 3.7.9")
    assert Tool(part=ETCD, path=program, source="installed") == find(where, ETCD)


@pytest.mark.parametrize("says", ["etcd Version: 3.4.23", "etcd Version: 3.8.0", "no version at all"])
def test_an_installed_program_of_another_version_is_left_alone(
    where: Folders, tmp_path: Path, says: str
) -> None:
    """Another minor version, or one that cannot be told, does not count as installed."""
    _install_fake(tmp_path / "path", "etcd", says)
    assert None is find(where, ETCD)


def test_pulumi_is_found_in_the_users_pulumi_home(where: Folders, tmp_path: Path) -> None:
    """Pulumi's installer puts it there and not always on PATH; any later version of the same major serves."""
    program = _install_fake(tmp_path / "pulumi" / "bin", "pulumi", "v3.300.1")
    assert Tool(part=PULUMI, path=program, source="installed") == find(where, PULUMI)


def test_our_own_commands_do_not_count_as_installed(where: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    """After `eval "$(modelunits local env)"` our folder is first on PATH; it must not refer to itself."""
    _install_fake(where.programs, "etcd", "etcd Version: 3.7.3")
    monkeypatch.setenv("PATH", f"{where.programs}:{os.environ['PATH']}")
    assert None is find(where, ETCD)


def test_the_official_download_is_checked_unpacked_and_kept(
    where: Folders, tmp_path: Path, published: str, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the programs of the archive are kept; the second time nothing is fetched."""
    monkeypatch.setattr("infra.local.toolchain.build", _no_build("etcd"))
    _publish(tmp_path, b"a program")
    part = _released_at(published)
    tool = Toolchain(where, Progress(said)).find_all([part])["etcd"]
    assert (tool.source, tool.path.read_bytes()) == ("download", b"a program")
    assert os.access(tool.path, os.X_OK)
    assert sorted(file.name for file in tool.path.parent.iterdir()) == ["etcd", "tool.json"]
    (tmp_path / "published" / "etcd.tar.gz").unlink()
    assert tool == Toolchain(where, Progress(said)).find_all([part])["etcd"]
    assert _without_times(said) == ["[1 of 1] etcd 3.7.3: the official download"]


def test_a_download_with_another_checksum_is_not_used(
    where: Folders, tmp_path: Path, published: str, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is shown, the program is built instead, and nothing of the download is left."""
    monkeypatch.setattr("infra.local.toolchain.build", _fake_build)
    _publish(tmp_path, b"not what they published", checksum="f" * 64)
    tool = Toolchain(where, Progress(said)).find_all([_released_at(published)])["etcd"]
    assert (tool.source, tool.path.read_bytes()) == ("go", b"built")
    assert f"its SHA-256 is not the published one, {'f' * 64}" in said.getvalue()
    assert [path.name for path in where.tools.iterdir() if not path.name.startswith(".")] == ["etcd-3.7.3"]


def test_an_offline_machine_builds_and_asks_each_host_once(
    where: Folders, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host that does not answer is not asked for the next program."""
    monkeypatch.setattr("infra.local.toolchain.build", _fake_build)
    parts = [_released_at(NOWHERE), _released_at(NOWHERE, replace(ETCD, name="other"))]
    tools = Toolchain(where, Progress(said)).find_all(parts)
    assert [tool.source for tool in tools.values()] == ["go", "go"]
    assert said.getvalue().count("127.0.0.1 cannot be reached") == 1


def test_a_part_that_no_go_module_has_is_unavailable_offline(where: Folders, said: io.StringIO) -> None:
    """The Kubernetes provider is one: the caller then takes the stand-in."""
    part = _released_at(NOWHERE, KUBERNETES_PROVIDER)
    with pytest.raises(Unavailable, match=re.escape("127.0.0.1 cannot be reached")):
        Toolchain(where, Progress(said)).find_all([part])


def test_a_changed_program_is_not_trusted(where: Folders) -> None:
    """A cached program whose content differs from what was installed counts as missing."""
    program = tool_cache.install(where.tools, ETCD, "go", lambda folder: _fake_build(ETCD, folder))
    assert (program, "go") == tool_cache.cached(where.tools, ETCD)
    program.write_bytes(b"other")
    assert None is tool_cache.cached(where.tools, ETCD)


def test_a_run_killed_half_way_leaves_nothing_that_counts(where: Folders) -> None:
    """What a killed run wrote is not taken for a program, and the next run removes it."""
    script = (
        "import os, signal, sys; from pathlib import Path; from infra.local import tool_cache, parts\n"
        "def fill(folder): (folder / 'etcd').write_bytes(b'half'); os.kill(os.getpid(), signal.SIGKILL)\n"
        "part = next(part for part in parts.CLUSTER if part.name == 'etcd')\n"
        "tool_cache.install(Path(sys.argv[1]), part, 'go', fill)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, where.tools], check=False)
    assert killed.returncode == -9
    assert None is tool_cache.cached(where.tools, ETCD)
    assert len(list(where.tools.glob(".etcd-3.7.3-*"))) == 1
    tool_cache.install(where.tools, ETCD, "go", lambda folder: _fake_build(ETCD, folder))
    assert [path.name for path in where.tools.iterdir()] == ["etcd-3.7.3"]


def test_two_runs_at_once_make_a_program_once(
    where: Folders, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run waits for the first and takes what it has made."""
    building, go_on = threading.Event(), threading.Event()
    built: list[str] = []

    def slow_build(part: Part, folder: Path, *_: object) -> None:
        built.append(part.name)
        building.set()
        assert go_on.wait(60)
        _fake_build(part, folder)

    monkeypatch.setattr("infra.local.toolchain.build", slow_build)
    part = replace(ETCD, release=None)
    found: list[Tool] = []
    runs = [
        threading.Thread(
            target=lambda: found.append(Toolchain(where, Progress(said)).find_all([part])["etcd"])
        )
        for _ in range(2)
    ]
    for run in runs:
        run.start()
    assert building.wait(60)
    go_on.set()
    for run in runs:
        run.join(60)
    assert (built, len(found), len({tool.path for tool in found})) == (["etcd"], 2, 1)


def test_a_missing_go_is_said_plainly(tmp_path: Path) -> None:
    """What is missing, which version, and where to get it."""
    module = go_build.GO_FOLDER / "cluster"
    wanted = go_build.go_directive(module)
    with pytest.raises(GoError) as raised:
        go_build.check_go(module, {"PATH": str(tmp_path)})
    expected = f"Go is not installed: install Go {wanted} or newer from https://go.dev/dl/ and put it on PATH"
    assert expected == str(raised.value)


def test_a_too_old_go_is_said_plainly(tmp_path: Path) -> None:
    """Go itself compares its version with that of go.mod; its words are kept."""
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho 'go: go.mod requires go >= 1.26.5 (running go 1.19)' >&2\nexit 1\n")
    go.chmod(0o755)
    with pytest.raises(GoError, match=re.escape("Go is too old: go: go.mod requires go >= 1.26.5")):
        go_build.check_go(go_build.GO_FOLDER / "cluster", {"PATH": str(tmp_path)})


def test_what_go_keeps_goes_into_the_cache_folder_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    """The user's own module cache, where one is named, saves fetching everything again."""
    ours = go_build.go_environment(tmp_path, {"PATH": "/bin"})
    outside = [
        name
        for name in ("GOMODCACHE", "GOCACHE", "GOPATH", "XDG_CONFIG_HOME")
        if not ours[name].startswith(str(tmp_path))
    ]
    assert outside == []
    assert go_build.go_environment(tmp_path, {"GOMODCACHE": "/mine"})["GOMODCACHE"] == "/mine"


def test_pins_agree() -> None:
    """The version of each part is the one that go.mod pins; the provider's is that of its Python package."""
    modules = {
        folder: (go_build.GO_FOLDER / folder / "go.mod").read_text()
        for folder in ("cluster", "gateway", "pulumi")
    }
    unpinned = [
        part.name
        for part in PARTS
        if part.go_folder and not _pinned(modules[part.go_folder], part.package, part.version)
    ]
    assert unpinned == []
    lock = (ROOT / "requirements.lock").read_text()
    assert f"pulumi-kubernetes=={KUBERNETES_PROVIDER.version} " in lock
    assert f"pulumi=={PULUMI.version} " in lock


def _pinned(go_mod: str, package: str, version: str) -> bool:
    """Tell whether a package is a tool of a go.mod, and a module that it can belong to has a version."""
    required = re.findall(r"^\t(\S+) v(\S+)", go_mod, re.MULTILINE)
    tools = re.findall(r"^(?:tool |\t)(\S+)$", go_mod, re.MULTILINE)
    return package in tools and any(package.startswith(name) and version == has for name, has in required)


@pytest.mark.parametrize(
    ("part", "version", "expected"),
    [
        (ETCD, "3.7.3", True),
        (ETCD, "3.7.2", False),
        (ETCD, "3.8.0", False),
        (PULUMI, "3.259.0", True),
        (PULUMI, "3.300.0", True),
        (PULUMI, "3.258.9", False),
        (PULUMI, "4.0.0", False),
        (ETCD, None, False),
    ],
)
def test_which_installed_versions_are_compatible(part: Part, version: str | None, expected: bool) -> None:
    """No older than the pinned one; same minor for the cluster's parts, same major for Pulumi."""
    assert expected == compatible(part, version)


def test_a_checksum_is_found_by_file_name_or_alone() -> None:
    """Lists name files, some with a star; dl.k8s.io publishes the digest alone."""
    digest = "ab" * 32
    assert digest == checksum_in(f"{'0' * 64}  x\n{digest} *pulumi.tar.gz\n", "pulumi.tar.gz")
    assert digest == checksum_in(digest, "kubectl")
    with pytest.raises(Unavailable, match=re.escape("no SHA-256 of y is published")):
        checksum_in(f"{digest}  x\n", "y")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MODELUNITS_CACHE": "/a", "XDG_CACHE_HOME": "/b"}, Path("/a")),
        ({"XDG_CACHE_HOME": "/b"}, Path("/b/modelunits")),
        ({}, Path("~/.cache/modelunits").expanduser()),
    ],
)
def test_where_the_cache_folder_is(environment: dict[str, str], expected: Path) -> None:
    """MODELUNITS_CACHE, else the user's cache folder."""
    assert expected == cache_folder(environment)


def _fake_build(part: Part, folder: Path, *_: object) -> None:
    (folder / part.name).write_bytes(b"built")


def _without_times(said: io.StringIO) -> list[str]:
    return [re.sub(r" \(\d+s\)$", "", line) for line in said.getvalue().splitlines()]
