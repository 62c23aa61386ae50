"""Images are pinned: what runs tomorrow is what was tested today.

An image has a digest, or a tag that names a version. No tag means `latest`; tags such as `nightly`, `main` or
`latest-gpu` move, unless they name the day of one build.

These would **PASS**:

    image: vllm/vllm-openai:v0.32.0
    image: vllm/vllm-router:nightly-20260710-b93cbcb
    image: registry.example/vllm@sha256:0123…

These would **FAIL**:

    image: vllm/vllm-openai
    image: vllm/vllm-openai:latest
"""

import re
from collections.abc import Iterator

from policies.objects import WITH_PODS, containers, pod_specs
from policies.reading import text_or_none
from policies.rule import Context, Finding, Resource, Rule

_MOVING = {"latest", "nightly", "main", "master", "dev", "devel", "edge", "head", "stable", "snapshot"}

_DAY = re.compile(r"20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])")


def _check(resource: Resource, _context: Context) -> Iterator[Finding]:
    for path, pod in pod_specs(resource):
        for container in containers(path, pod):
            image = text_or_none(container.body, "image")
            if image is not None and not _is_pinned(image):
                yield Finding(
                    (*container.path, "image"),
                    f"must have a tag that names a version, or a digest, got {image}",
                )


def _is_pinned(image: str) -> bool:
    if "@" in image:
        return re.fullmatch(r".+@[a-z0-9]+:[0-9a-f]{32,}", image) is not None
    # A colon before the last slash is a registry's port.
    tag = image.rpartition("/")[2].partition(":")[2]
    words = re.split(r"[-_.+]", tag.lower())
    if any(_DAY.fullmatch(word) for word in words):
        return True
    return any(character.isdigit() for character in tag) and not _MOVING.intersection(words)


RULE = Rule(
    name="pinned-images",
    description="Container images are pinned to a version or a digest.",
    severity="high",
    remediation=(
        "Name a version's tag or a digest in the template's engine.image or the environment's gateway.image."
    ),
    applies_to=WITH_PODS,
    check=_check,
    doc=__doc__,
    written_in=("template",),
)
