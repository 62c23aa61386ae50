"""The programs that a local run needs: which version, where Go finds them, where they are published."""

import re
from dataclasses import dataclass
from typing import Literal

PULUMI_VERSION = "3.259.0"
KUBERNETES_VERSION = "1.36.3"
ETCD_VERSION = "3.7.3"
KWOK_VERSION = "0.8.0"
KARPENTER_VERSION = "1.14.0"
LWS_VERSION = "0.9.0"
KEDA_VERSION = "2.21.0"
RATELIMIT_VERSION = "1.4.1-0.20260122083618-3fb702589d36"
"""envoyproxy/ratelimit has no releases: the version is its newest commit's, as Go counts it."""
KUBERNETES_PROVIDER_VERSION = "4.34.2"
"""The provider plugin's version is that of the pulumi-kubernetes package in requirements.lock."""

_ETCD_RELEASE = f"https://github.com/etcd-io/etcd/releases/download/v{ETCD_VERSION}"

_KUBERNETES_BUILD = tuple(
    f"k8s.io/component-base/version.{key}={value}"
    for key, value in (
        ("gitVersion", f"v{KUBERNETES_VERSION}"),
        ("gitMajor", "1"),
        ("gitMinor", "36"),
        ("gitTreeState", "clean"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a project publishes of a part. `{os}` and `{arch}` stand for this machine's."""

    url: str
    checksums: str
    """A file that holds the SHA-256, alone or in a list with file names."""
    systems: tuple[str, ...] = ("linux", "darwin")
    architectures: tuple[tuple[str, str], ...] = (("amd64", "amd64"), ("arm64", "arm64"))
    """Our word for a processor, and theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One program, pinned."""

    name: str
    version: str
    go_folder: Literal["pulumi", "cluster", "gateway"] | None = None
    """The folder below `infra/local/go/` whose go.mod pins it; None: no Go module has it."""
    package: str = ""
    set_at_link: tuple[str, ...] = ()
    """Go variables that carry the version: releases set them when linking, and so do we."""
    version_arguments: tuple[str, ...] = ()
    """How an installed copy says its version; empty: it is not installed by anyone."""
    same_minor: bool = True
    """Whether an installed copy has to have the same minor version, or just be no older in the same major."""
    release: Release | None = None


def _kubernetes(name: str, *systems: str, version_arguments: tuple[str, ...] = ("--version",)) -> Part:
    address = f"https://dl.k8s.io/release/v{KUBERNETES_VERSION}/bin/{{os}}/{{arch}}/{name}"
    return Part(
        name=name,
        version=KUBERNETES_VERSION,
        go_folder="cluster",
        package=f"k8s.io/kubernetes/cmd/{name}",
        set_at_link=_KUBERNETES_BUILD,
        version_arguments=version_arguments,
        release=Release(url=address, checksums=f"{address}.sha256", systems=systems),
    )


PULUMI = Part(
    name="pulumi",
    version=PULUMI_VERSION,
    go_folder="pulumi",
    package="github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
    set_at_link=(f"github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI_VERSION}",),
    version_arguments=("version",),
    same_minor=False,
    release=Release(
        url=f"https://get.pulumi.com/releases/sdk/pulumi-v{PULUMI_VERSION}-{{os}}-{{arch}}.tar.gz",
        checksums=(
            "https://github.com/pulumi/pulumi/releases/download/"
            f"v{PULUMI_VERSION}/pulumi-{PULUMI_VERSION}-checksums.txt"
        ),
        architectures=(("amd64", "x64"), ("arm64", "arm64")),
    ),
)

KUBERNETES_PROVIDER = Part(
    name="pulumi-resource-kubernetes",
    version=KUBERNETES_PROVIDER_VERSION,
    release=Release(
        url=f"https://get.pulumi.com/releases/plugins/pulumi-resource-kubernetes-v{KUBERNETES_PROVIDER_VERSION}-{{os}}-{{arch}}.tar.gz",
        checksums=(
            "https://github.com/pulumi/pulumi-kubernetes/releases/download/"
            f"v{KUBERNETES_PROVIDER_VERSION}/pulumi-kubernetes_{KUBERNETES_PROVIDER_VERSION}_checksums.txt"
        ),
    ),
)

CLUSTER = (
    Part(
        name="etcd",
        version=ETCD_VERSION,
        go_folder="cluster",
        package="go.etcd.io/etcd/server/v3",
        version_arguments=("--version",),
        release=Release(
            url=f"{_ETCD_RELEASE}/etcd-v{ETCD_VERSION}-{{os}}-{{arch}}.tar.gz",
            checksums=f"{_ETCD_RELEASE}/SHA256SUMS",
            systems=("linux",),
        ),
    ),
    _kubernetes("kube-apiserver", "linux"),
    _kubernetes("kube-controller-manager", "linux"),
    _kubernetes("kube-scheduler", "linux"),
    _kubernetes("kubectl", "linux", "darwin", version_arguments=("version", "--client")),
    Part(
        name="kwokctl",
        version=KWOK_VERSION,
        go_folder="cluster",
        package="sigs.k8s.io/kwok/cmd/kwokctl",
        set_at_link=(f"sigs.k8s.io/kwok/pkg/consts.Version=v{KWOK_VERSION}",),
        version_arguments=("--version",),
    ),
    Part(
        name="kwok",
        version=KWOK_VERSION,
        go_folder="cluster",
        package="sigs.k8s.io/kwok/cmd/kwok",
        set_at_link=(f"sigs.k8s.io/kwok/pkg/consts.Version=v{KWOK_VERSION}",),
        version_arguments=("--version",),
    ),
    Part(
        name="lws",
        version=LWS_VERSION,
        go_folder="cluster",
        package="sigs.k8s.io/lws/cmd",
    ),
    Part(
        name="karpenter-kwok",
        version=KARPENTER_VERSION,
        go_folder="cluster",
        package="sigs.k8s.io/karpenter/kwok",
    ),
    Part(
        name="keda-operator",
        version=KEDA_VERSION,
        go_folder="cluster",
        package="github.com/kedacore/keda/v2/cmd/operator",
    ),
    Part(
        name="keda-adapter",
        version=KEDA_VERSION,
        go_folder="cluster",
        package="github.com/kedacore/keda/v2/cmd/adapter",
    ),
)

RATELIMIT = Part(
    name="ratelimit",
    version=RATELIMIT_VERSION,
    go_folder="gateway",
    package="github.com/envoyproxy/ratelimit/src/service_cmd",
)

PARTS = (PULUMI, *CLUSTER, RATELIMIT)


def version_in(text: str) -> str | None:
    """Return the first version number in what a program prints."""
    found = re.search(r"(\d+\.\d+\.\d+)", text)
    return found.group(1) if found else None


def compatible(part: Part, version: str | None) -> bool:
    """Tell whether an installed version serves as well as the pinned one."""
    if version is None:
        return False
    has = tuple(map(int, version.split(".")))
    wants = tuple(map(int, part.version.split(".")))
    fixed = 2 if part.same_minor else 1
    return has[:fixed] == wants[:fixed] and has >= wants
