"""The worked example of docs/where-a-number-comes-from.md is what the calculator computes."""

from math import ceil
from pathlib import Path

from engines import single
from golden import Golden

from infra.capacity.batching import plain_step_ms, prompt_attention_ms, room
from infra.capacity.load import Load
from infra.capacity.performance import TPOT_MARGIN, best_within, largest, perform, under_rate
from infra.capacity.sizing import TIERS

PAGE = Path(__file__).parents[2] / "docs" / "where-a-number-comes-from.md"
BEGIN, END = "writes it -->\n", "<!-- end of the worked example"
_GIB = 2**30


def example() -> str:
    """Return the numbers behind one answer, in the order of the page."""
    group, load, promise = (
        single("llama-3.3-70b-fp8", "h100-8", tensor_parallel=2),
        Load(),
        TIERS["balanced"],
    )
    engine = group.roles["serve"]
    kv, steps = engine.kv, engine.steps
    held = best_within(group, load, promise.ttft_ms, promise.tpot_ms)
    assert held is not None
    here = held.concurrency
    sequence = kv.sequence_bytes(load.context_tokens) / _GIB
    tokens = load.new_tokens + here
    needed = ceil(12 / held.requests_per_second)
    seen = under_rate(group, load, 12 / needed)
    assert seen is not None
    error = held.provenance.tpot_error
    most = largest(
        lambda concurrency: (
            perform(group, load, concurrency).tpot_ms * (1 + TPOT_MARGIN * error) <= promise.tpot_ms
        )
    )
    fullest = perform(group, load, most)
    lines = [
        f"room        {kv.free_bytes / _GIB:.1f} GiB of each GPU for the KV cache,",
        f"            {sequence:.2f} GiB a request: {room(engine, load):.0f} at once",
        f"step        {here} answers, no prompt: {plain_step_ms(engine, load, here, 1.0):.1f} ms",
        f"            with one prompt of {load.new_tokens:,} tokens: "
        f"{steps.dense_ms(tokens, mixed=True):.0f} ms for {tokens:,} tokens,",
        f"            {prompt_attention_ms(engine, load):.1f} ms for the attention of the prompt and "
        f"{steps.decode_attention_ms(here, load.context_tokens):.1f} ms of the answers",
        f"tier        balanced: TTFT {promise.ttft_ms:,.0f} ms, TPOT {promise.tpot_ms:g} ms",
        f"            at most {most}: TPOT {fullest.tpot_ms:.1f} ms and {100 * TPOT_MARGIN * error:.0f} % of "
        f"margin, {fullest.requests_per_second:.2f} requests/s;",
        f"            {here} bring {held.requests_per_second / fullest.requests_per_second:.0%} of that rate",
        f"            {here} in flight: TTFT {held.ttft_ms:.0f} ms, TPOT {held.tpot_ms:.1f} ms, "
        f"{held.requests_per_second:.2f} requests/s",
        f"chunk       {held.total_tps:,.0f} tokens/s",
        f"units       12 requests/s / {held.requests_per_second:.2f} = {needed} units of two GPUs",
        f"callers     at 12 requests/s: TTFT p50 {seen.ttft_p50_ms:.0f} ms, p90 {seen.ttft_p90_ms:.0f} ms, "
        f"p99 {seen.ttft_p99_ms:.0f} ms",
        f"label       {held.provenance.label}: TPS off by {100 * held.provenance.tps_error:.0f} %, "
        f"TTFT by {100 * held.provenance.ttft_error:.0f} % on average",
    ]
    return "```\n" + "\n".join(lines) + "\n```\n"


def test_the_worked_example_is_what_the_calculator_computes(golden: Golden) -> None:
    """Every figure on the page comes out again."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    golden.check(PAGE, before + BEGIN + example() + END + after)
