"""What holds of every plan, whatever people write."""

import re
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from immutabledict import immutabledict

from infra import names
from infra.catalog.load import load_catalog
from infra.plan.document import document, endpoint_properties
from infra.plan.make import make_plan
from infra.plan.model import EndpointPlan, NodePoolPlan, Plan
from infra.spec.endpoint import (
    Adapter,
    Endpoint,
    Features,
    FineTune,
    Hourly,
    Limits,
    Purchase,
    Throughput,
    Units,
)
from infra.spec.load import load_stack
from infra.spec.stack import Position, Source, Stack, Written

DAY = date(2026, 11, 21)
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def base_stack() -> Stack:
    """Return the stack that the golden cases share, which has templates and no endpoints."""
    stack = load_stack(Path(__file__).parent / "plans" / "base", "test").stack

    assert stack is not None

    return stack


BASE = base_stack()
CATALOG = load_catalog()
STEPS = {"small": 1, "pairs": 2, "prefill-decode": 4, "encode-prefill-decode": 4, "two-machines": 1}

counts = st.integers(0, 40)
days = st.dates(date(2026, 1, 1), date(2027, 12, 31))
endpoint_names = st.sampled_from(["a", "chat", "chat-serve", "chat-serve-hourly", "serve", "x" * 30])
"""Few, so that they meet, and such as could be mistaken for each other's Services and workloads."""


@st.composite
def units(draw: st.DrawFn, step: int | None) -> Units:
    """Return units; with a step, bounds are multiples of it and in order."""
    size = step or 1
    low, high = draw(counts), draw(counts)
    if step:
        low, high = sorted((low, high))
    hourly = Hourly(min=low * size, max=high * size) if draw(st.booleans()) else None
    if draw(st.booleans()):
        return Units(reserved=draw(counts) * size, hourly=hourly)
    orders = draw(st.lists(st.tuples(st.integers(1, 9), days, st.integers(1, 24), st.booleans()), max_size=3))
    return Units(
        purchases=tuple(
            Purchase(id=f"po-{index}", units=bought * size, start=start, months=months, auto_renew=renew)
            for index, (bought, start, months, renew) in enumerate(orders)
        ),
        hourly=hourly,
    )


@st.composite
def endpoints(draw: st.DrawFn, *, whole_steps: bool = False) -> Endpoint:
    """Return an endpoint on one of the base's templates."""
    template = draw(st.sampled_from(sorted(STEPS)))
    written = BASE.templates[template].value
    (model,) = written.performance
    weights = draw(st.sampled_from(["hf://a/b", "s3://c", "pvc://d/e"]))
    models: list[str | FineTune] = [model, FineTune(name="tuned", base=model, weights=weights)]
    bought = draw(units(STEPS[template] if whole_steps else None))
    by_tokens = not whole_steps and bought.hourly is None and draw(st.booleans())
    ranks = draw(st.lists(st.integers(1, 512), max_size=2))
    return Endpoint(
        model=draw(st.sampled_from(models)),
        team=draw(st.sampled_from(["search", "vision"])),
        template=template,
        tier=draw(st.sampled_from([None, *written.performance[model]])),
        units=bought,
        throughput=Throughput(min=draw(counts) * 500, max=draw(counts) * 500) if by_tokens else None,
        headroom=draw(st.floats(1, 10)),
        adapters=tuple(Adapter(name=f"a{i}", source="hf://a/b", rank=rank) for i, rank in enumerate(ranks)),
        features=Features(structured_output=draw(st.booleans())),
        limits=Limits(concurrency=draw(st.none() | st.integers(1, 100))),
        engine_args=draw(
            st.dictionaries(
                st.sampled_from(["max-model-len", "tensor-parallel-size", "tp", "enforce-eager", "nonsense"]),
                st.booleans() | st.integers(-2, 4096) | st.text(max_size=3),
                max_size=3,
            )
        ),
    )


def stack_of(written: dict[str, Endpoint]) -> Stack:
    """Return the base with endpoints, by name."""
    return replace(
        BASE,
        endpoints=tuple(
            Written(name, endpoint, Source(Position(f"stacks/test/{name}.yaml", 1, 1), immutabledict()))
            for name, endpoint in written.items()
        ),
    )


def plan_of(written: dict[str, Endpoint]) -> Plan:
    """Plan endpoints that name nothing unknown."""
    planned = make_plan(stack_of(written), CATALOG, DAY)

    assert not planned.problems

    return planned.plan


stacks = st.dictionaries(endpoint_names, endpoints(), max_size=4)


@given(stacks, st.randoms(use_true_random=False))
def test_file_order(written: dict[str, Endpoint], random: Random) -> None:
    """The order in which files are read never changes a plan."""
    shuffled = list(written.items())
    random.shuffle(shuffled)

    assert document(plan_of(written)) == document(plan_of(dict(shuffled)))


@given(stacks)
def test_names(written: dict[str, Endpoint]) -> None:
    """Names in the cluster are valid DNS labels, and no two things of a namespace share one."""
    plan = plan_of(written)
    found = [("ids", endpoint.id) for endpoint in plan.endpoints]
    found += [("pools", pool.name) for pool in plan.node_pools]
    found += [("namespaces", team.namespace) for team in plan.teams]
    for endpoint in plan.endpoints:
        for role in endpoint.roles:
            workloads = [
                names.workload_name(endpoint.name, role.name, each) for each in ("reserved", "hourly")
            ]
            found += [(endpoint.namespace, name) for name in workloads]
            found.append((f"services of {endpoint.namespace}", names.service_name(endpoint.name, role.name)))

    assert not [name for _, name in found if not DNS_LABEL.fullmatch(name)]
    assert not [name for name, count in Counter(found).items() if count > 1]


@given(stacks, endpoint_names, endpoints())
def test_adding_an_endpoint(written: dict[str, Endpoint], name: str, added: Endpoint) -> None:
    """Adding an endpoint leaves all others as they were; only pools and sums grow."""
    others = {other: endpoint for other, endpoint in written.items() if other != name}
    before, after = plan_of(others), plan_of({**others, name: added})

    assert before.endpoints == tuple(each for each in after.endpoints if each.name != name)
    for pool, (at_least, at_most) in sizes(before).items():
        assert at_least <= sizes(after)[pool][0]
        assert at_most <= sizes(after)[pool][1]


def sizes(plan: Plan) -> dict[str, tuple[int, int]]:
    """Return the bounds of each pool."""
    return {pool.name: (pool.machines_min, pool.machines_max) for pool in plan.node_pools}


@given(stacks)
def test_pools_cover_units(written: dict[str, Endpoint]) -> None:
    """A pool's bounds hold the GPUs of its units at those bounds, and no unit is without a pool."""
    plan = plan_of(written)
    pools: dict[tuple[str, str], NodePoolPlan] = {
        (pool.machine, pool.billing): pool for pool in plan.node_pools
    }
    wanted: Counter[tuple[str, str, str]] = Counter()
    for endpoint in plan.endpoints:
        for role in endpoint.roles:
            wanted[role.machine, "reserved", "min"] += role.gpus * role.replicas.reserved
            wanted[role.machine, "reserved", "max"] += role.gpus * role.replicas.reserved
            wanted[role.machine, "hourly", "min"] += role.gpus * role.replicas.hourly_min
            wanted[role.machine, "hourly", "max"] += role.gpus * role.replicas.hourly_max
    for (machine, billing, bound), gpus in wanted.items():
        if gpus:
            pool = pools[machine, billing]
            machines = pool.machines_min if bound == "min" else pool.machines_max

            assert gpus <= machines * pool.gpus_per_machine


@given(
    stacks,
    endpoint_names,
    endpoints(whole_steps=True),
    st.integers(1, 5),
    st.sampled_from(["reserved", "max"]),
)
def test_raising_a_bound(
    written: dict[str, Endpoint], name: str, endpoint: Endpoint, steps: int, bound: str
) -> None:
    """Raising a bound by whole steps never lowers capacity, machines or cost."""
    more = steps * STEPS[endpoint.template]
    hourly = endpoint.units.hourly or Hourly()
    reserved = endpoint.units.reserved or 0
    lower = Units(reserved=reserved, hourly=hourly)
    raised = (
        Units(reserved=reserved + more, hourly=hourly)
        if bound == "reserved"
        else Units(reserved=reserved, hourly=Hourly(min=hourly.min, max=hourly.max + more))
    )
    before, after = (
        plan_of({**written, name: endpoint.model_copy(update={"units": bought})})
        for bought in (lower, raised)
    )

    for was, will_be in (
        (before.totals.units_max, after.totals.units_max),
        (before.totals.gpus_min, after.totals.gpus_min),
        (before.totals.gpus_max, after.totals.gpus_max),
        (before.totals.machines_min, after.totals.machines_min),
        (before.totals.machines_max, after.totals.machines_max),
        (before.totals.cost.hourly_max or 0, after.totals.cost.hourly_max or 0),
    ):
        assert was <= will_be
    if before.totals.cost.reserved_monthly is not None and after.totals.cost.reserved_monthly is not None:
        assert before.totals.cost.reserved_monthly <= after.totals.cost.reserved_monthly


@given(endpoints(whole_steps=True))
def test_whole_steps(endpoint: Endpoint) -> None:
    """Units written in whole steps are planned as written, in whole groups of every role."""
    (planned,) = plan_of({"chat": endpoint}).endpoints

    assert planned.step == STEPS[endpoint.template]
    assert sum(role.replicas.max for role in planned.roles) == planned.units.max
    assert sum(role.replicas.min for role in planned.roles) == planned.units.min
    assert_whole_groups(planned)


@given(endpoints())
def test_any_units(endpoint: Endpoint) -> None:
    """Units that are no multiple of the step come to at least what is written, and still to whole steps."""
    (planned,) = plan_of({"chat": endpoint}).endpoints

    assert planned.units.max <= sum(role.replicas.max for role in planned.roles)
    assert_whole_groups(planned)


def assert_whole_groups(planned: EndpointPlan) -> None:
    """Check that all roles have the same number of groups, which makes up whole steps."""
    groups = {
        (replicas // role.count, replicas % role.count)
        for role in planned.roles
        for replicas in (role.replicas.hourly_max,)
    }

    assert groups == {(planned.scaling.max_groups, 0)}
    assert planned.scaling.max_groups % planned.groups_per_step == 0


@given(stacks, days, st.integers(0, 400))
def test_days(written: dict[str, Endpoint], day: date, later: int) -> None:
    """The day changes nothing of an endpoint without purchases, and never what a purchase says it bought."""
    plans = [
        make_plan(stack_of(written), CATALOG, date.fromordinal(day.toordinal() + days)).plan
        for days in (0, later)
    ]
    for before, after in zip(plans[0].endpoints, plans[1].endpoints, strict=True):
        if not before.purchases:
            assert endpoint_properties(before) == endpoint_properties(after)
        assert [p.units for p in before.purchases] == [p.units for p in after.purchases]
        counted = [p.units for p in after.purchases if p.counts]
        if after.purchases:
            assert after.units.reserved == sum(counted)
