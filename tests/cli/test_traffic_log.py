"""Logs of requests are read in the formats that people have, and every line is used or counted."""

import gzip
import io
import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.cli.traffic_log import TrafficLog, read_traffic
from infra.problems import SpecError

HEADER = "arrival_s,input_tokens,output_tokens\n"


def read(folder: Path, text: str | bytes, name: str = "log.csv") -> TrafficLog:
    """Read a log of that text."""
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_traffic(file)


def problems(folder: Path, text: str | bytes) -> list[str]:
    """Return what is said of a log that cannot be read, without its folder."""
    with pytest.raises(SpecError) as refused:
        read(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in refused.value.problems]


def faults(log: TrafficLog) -> list[tuple[str, int, tuple[int, ...]]]:
    """Return what is wrong with lines that were left out: reason, lines, the first few."""
    return [(fault.reason, fault.lines, fault.first_lines) for fault in log.left_out]


FORMATS = {
    "ours": HEADER + "0.000,374,44\n4.500,396,109\n",
    "cached": "arrival_s,input_tokens,output_tokens,cached_prefix_tokens\n0,374,44,0\n4.5,396,109,128\n",
    "azure": (
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:51.1805900,396,109\n"
    ),
    "burstgpt": (
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"
        "5,ChatGPT,374,44,418,API log\n9.5,GPT-4,396,109,505,API log\n"
    ),
    "mooncake": (
        '{"timestamp": 0, "input_length": 374, "output_length": 44, "hash_ids": [0, 1]}\n'
        '{"timestamp": 4500, "input_length": 396, "output_length": 109, "hash_ids": [0]}\n'
    ),
    "bailian": (
        '{"chat_id": 1, "parent_chat_id": -1, "timestamp": 61.1, "input_length": 374, "output_length": 44,'
        ' "type": "text", "turn": 1, "hash_ids": [1]}\n'
        '{"chat_id": 2, "parent_chat_id": -1, "timestamp": 65.6, "input_length": 396, "output_length": 109,'
        ' "type": "text", "turn": 1, "hash_ids": [1]}\n'
    ),
    "openai, zones": (
        '{"created_at": "2026-11-20T08:00:00+08:00", "prompt_tokens": 374, "completion_tokens": 44}\n'
        '{"created_at": "2026-11-20T00:00:04.5Z", "prompt_tokens": 396, "completion_tokens": 109}\n'
    ),
    "epoch seconds": "ts,prompt_tokens,completion_tokens\n1763596800,374,44\n1763596804.5,396,109\n",
    "epoch milliseconds": "ts,prompt_tokens,completion_tokens\n1763596800000,374,44\n1763596804500,396,109\n",
    "named milliseconds": "timestamp_ms,input_tokens,output_tokens\n0,374,44\n4500,396,109\n",
    "quoted, spaced, data frames": (
        '"ts", Input-Tokens ,output_tokens,user\n0,374.0,44,"a, b"\n4.5, 396.0,109,c\n'
    ),
}


@pytest.mark.parametrize("text", FORMATS.values(), ids=FORMATS.keys())
def test_formats_in_use_are_read(tmp_path: Path, text: str) -> None:
    """Column names and units of time are told from the header and the numbers, nothing has to be said."""
    log = read(tmp_path, text)
    arrivals = log.requests.arrivals_s

    assert 4.5 == pytest.approx(arrivals[1] - arrivals[0])
    assert [374, 396] == list(log.requests.input_tokens)
    assert [44, 109] == list(log.requests.output_tokens)
    assert () == log.left_out == log.doubtful


@pytest.mark.parametrize(
    ("text", "assumption"),
    [
        (FORMATS["ours"], None),
        (FORMATS["mooncake"], None),
        (FORMATS["openai, zones"], None),
        (FORMATS["azure"], "Times without a zone are taken for UTC."),
        (FORMATS["epoch milliseconds"], "The numbers in ts are taken for milliseconds since 1970."),
        (
            "time,input_tokens,output_tokens\n0,1,1\n",
            "The numbers in time do not say their unit and are taken for",
        ),
    ],
)
def test_what_a_log_does_not_say_is_said(tmp_path: Path, text: str, assumption: str | None) -> None:
    """An assumption is a sentence beside the result, and there is none where none was needed."""
    log = read(tmp_path, text)

    assert (assumption is None) == (not log.assumptions)
    assert assumption is None or log.assumptions[0].startswith(assumption)
    assert log.remarks == log.assumptions


def test_a_log_with_dates_begins_on_a_full_minute(tmp_path: Path) -> None:
    """So that its minutes are those of the clock."""
    requests = read(tmp_path, FORMATS["azure"]).requests

    assert datetime(2023, 11, 16, 18, 15, tzinfo=UTC) == requests.begin
    assert 46.68059 == pytest.approx(requests.arrivals_s[0])
    assert read(tmp_path, FORMATS["ours"]).requests.begin is None


def test_cached_tokens_are_read_where_they_are_given(tmp_path: Path) -> None:
    """A line that leaves them out counts as nothing cached, and is shown."""
    log = read(
        tmp_path, "time_s,input_tokens,output_tokens,cached_tokens\n0,10,1,5\n1,10,1,\n2,10,1,11\n3,9,1,9\n"
    )

    assert [5, 0, 9] == list(log.requests.cached_tokens or ())
    assert ("cached tokens not given; taken for 0", 1, (3,)) == (
        log.doubtful[0].reason,
        log.doubtful[0].lines,
        log.doubtful[0].first_lines,
    )
    assert [("more tokens from the cache than in", 1, (4,))] == faults(log)
    assert read(tmp_path, FORMATS["ours"]).requests.cached_tokens is None


def test_json_lines_may_leave_out_cached_tokens(tmp_path: Path) -> None:
    """As gateways do where a provider says nothing."""
    lines = [
        {"ts_s": 0, "input_tokens": 10, "output_tokens": 1, "cached_tokens": 5},
        {"ts_s": 1, "input_tokens": 10, "output_tokens": 1, "cached_tokens": None},
        {"ts_s": 2, "input_tokens": 10, "output_tokens": 1},
    ]
    log = read(tmp_path, "\n".join(map(json.dumps, lines)))

    assert [5, 0, 0] == list(log.requests.cached_tokens or ())
    assert 2 == log.doubtful[0].lines


BROKEN = HEADER + (
    "0,100,10\n"
    "\n"
    "1,100\n"
    "2,100,10,1\n"
    "x,100,10\n"
    "3,-5,10\n"
    "4,1.5,10\n"
    "5,100,20000000\n"
    "nan,100,10\n"
    "-1,100,10\n"
    "1e300,100,10\n"
    '6,"100,10\n'
    "7,0,0\n" + HEADER + "8,,10\n"
    "9,100,10\n"
)


def test_broken_lines_are_counted_and_shown(tmp_path: Path) -> None:
    """Each with its reason and number; the others are read."""
    log = read(tmp_path, BROKEN)

    assert [0, 9] == list(log.requests.arrivals_s)
    assert [
        ("blank", 1, (3,)),
        ("not the 3 fields of the header", 2, (4, 5)),
        ("the time is no number, as others are", 1, (6,)),
        ("tokens in: less than 0", 1, (7,)),
        ("tokens in: no whole number", 2, (8, 16)),
        ("tokens out: more than 10,000,000", 1, (9,)),
        ("the time is negative or beyond 30 years", 3, (10, 11, 12)),
        ("quotes that do not match, or text over several lines", 1, (13,)),
        ("no tokens, neither in nor out", 1, (14,)),
        ("the header again", 1, (15,)),
    ] == faults(log)
    assert "14 of 16 lines are left out; demand is understated by what they stood for." == log.remarks[0]
    assert "Left out: 2 lines (4, 5): not the 3 fields of the header, got 1,100" in log.remarks
    assert "Left out: line 7: tokens in: less than 0, got -5" in log.remarks


def test_broken_json_lines_are_counted_and_shown(tmp_path: Path) -> None:
    """Also where the very first line is one."""
    good = '{"time_s": 1, "input_tokens": "10", "output_tokens": 2.0}'
    broken = (
        '{"time_s": 0,',
        good,
        "[1, 2]",
        '{"time_s": 2, "input_tokens": 10}',
        '{"time_s": true, "input_tokens": 10, "output_tokens": 2}',
        '{"time_s": 3, "input_tokens": null, "output_tokens": 2}',
        '{"time_s": 4, "input_tokens": 10, "output_tokens": {}}',
        '{"time_s": 4, "input_tokens": ' + "9" * 5000 + ', "output_tokens": 1}',
        "[" * 100_000,
        '{"time_s": 5, "input_tokens": 1e999, "output_tokens": 1}',
    )
    log = read(tmp_path, "\n".join(broken))

    assert [10] == list(log.requests.input_tokens)
    assert [2] == list(log.requests.output_tokens)
    assert len(broken) - 1 == sum(fault.lines for fault in log.left_out)
    assert ("no JSON object", 4, (1, 3, 8)) in faults(log)
    assert ("no output_tokens", 1, (4,)) in faults(log)


def test_most_times_decide_how_time_is_counted(tmp_path: Path) -> None:
    """One date among numbers is a broken line, and the other way round."""
    numbers = read(tmp_path, HEADER + "2026-11-20,1,1\n1,1,1\n2,1,1\n")
    dates = read(tmp_path, HEADER + "1,1,1\n2026-11-20,1,1\n2026-11-21,1,1\n")

    assert [("the time is no number, as others are", 1, (2,))] == faults(numbers)
    assert [("the time is not ISO 8601, as others are", 1, (2,))] == faults(dates)


def test_what_a_broken_line_says_is_printable(tmp_path: Path) -> None:
    """A log cannot move the reader's cursor, nor fill the screen."""
    log = read(tmp_path, HEADER + "0,1,1\n1,\x1b[2J\xff" + "9" * 1000 + ",1\n")

    (fault,) = log.left_out

    assert fault.example.startswith(r"\x1b[2J\xff999")
    assert fault.example.endswith("9…")
    assert len(fault.example) < 60


def test_long_text_in_quotes_does_not_matter(tmp_path: Path) -> None:
    """A column with prompts is passed over, commas, quotes and all."""
    prompt = '"' + 'say ""hi"", ' * 50_000 + '"'
    log = read(tmp_path, f"time_s,prompt,input_tokens,output_tokens\n0,{prompt},9,1\n1,none,8,1\n")

    assert [9, 8] == list(log.requests.input_tokens)


def test_unsorted_lines_are_sorted_and_shown(tmp_path: Path) -> None:
    """Tokens stay with their request."""
    log = read(
        tmp_path, "time_s,input_tokens,output_tokens,cached_tokens\n5,50,5,1\n1,10,1,2\n3,30,3,3\n2,20,2,4\n"
    )
    requests = log.requests

    assert [1, 2, 3, 5] == list(requests.arrivals_s)
    assert [10, 20, 30, 50] == list(requests.input_tokens)
    assert [1, 2, 3, 5] == list(requests.output_tokens)
    assert [2, 4, 3, 1] == list(requests.cached_tokens or ())
    assert "Used: 2 lines (3, 5): earlier than the line before; sorted" in log.remarks


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.rstrip("\n").encode(),
        lambda text: b"\n\n" + text.encode(),
        lambda text: gzip.compress(text.encode()),
    ],
    ids=["byte order mark", "CRLF", "no last newline", "blank lines first", "gzip without .gz"],
)
@pytest.mark.parametrize("source", ["cached", "azure", "mooncake"])
def test_what_programs_do_to_files_does_not_matter(tmp_path: Path, change: object, source: str) -> None:
    """Line ends, byte order marks and compression are seen through."""
    assert callable(change)
    changed = read(tmp_path, change(FORMATS[source]))
    plain = read(tmp_path, FORMATS[source])

    assert plain.requests == changed.requests


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` is standard input."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(FORMATS["mooncake"].encode())))

    assert 2 == len(read_traffic(Path("-")).requests.arrivals_s)


def test_a_log_that_breaks_off_is_read_that_far(tmp_path: Path) -> None:
    """What is left of a gzip file is used, and the place of the break shown."""
    lines = "".join(f"{second},{second * 7919 % 1000 + 1},10\n" for second in range(20_000))
    packed = gzip.compress((HEADER + lines).encode())
    log = read(tmp_path, packed[: len(packed) // 2])
    read_lines = len(log.requests.arrivals_s)

    assert 1000 < read_lines < 20_000
    assert "the file breaks off here; what follows cannot be read" in {fault.reason for fault in log.left_out}


UNREADABLE = {
    "empty": ("", "log.csv:1:1: is empty"),
    "blank": ("\n \n", "log.csv:1:1: is empty"),
    "header only": (HEADER, "log.csv:1:1: has a header and no requests"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "log.csv:1:1: is not text"),
    "UTF-16": (HEADER.encode("utf-16"), "log.csv:1:1: is UTF-16: save it as UTF-8"),
    "broken gzip": (b"\x1f\x8b\x08\x00garbage", "log.csv:1:1: is broken gzip"),
    "broken gzip content": (gzip.compress(b"")[:10] + b"garbage" * 9, "log.csv:1:1: is broken gzip"),
    "broken gzip header": (b"\x1f\x8b\x07garbage", "log.csv:1:1: is broken gzip"),
    "other JSON": ('{"a": 1}\n{"b": 1}\n', "log.csv:1:1: no column for the input tokens"),
    "JSON array": ('[{"time": 1}]', "log.csv:1:1: is one JSON array: write one JSON object a line"),
    "no JSON": ("{\n{\n", "log.csv:1:1: no line is a JSON object"),
    "no lines": (HEADER + "a,b\nx,1,1\n", "log.csv:2:1: no request can be read: line 2: not the 3 fields"),
    "no times": (HEADER + "noon,1,1\n", "log.csv:2:1: no request can be read: line 2: the time is neither"),
    "milliseconds": (
        "ts,input_tokens,output_tokens\n" + "".join(f"{n * 60_000},1,1\n" for n in range(1440)),
        "log.csv:1:1: spans 999 days, at most 400 can be sized; where its times are milliseconds, name",
    ),
    "two columns": (
        "time_s,input_tokens,prompt_tokens,output_tokens\n0,1,1,1\n",
        "log.csv:1:1: input_tokens and prompt_tokens mean the input tokens: keep one",
    ),
    "no header": (
        "0,1,1\n",
        "log.csv:1:1: no column for the input tokens: name it input_tokens (or context_",
    ),
}


@pytest.mark.parametrize(("text", "said"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_log_of_which_nothing_can_be_read_is_a_located_problem(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    """Where, what, and what is wanted."""
    assert problems(tmp_path, text)[0].startswith(said)


def test_all_missing_columns_are_said_at_once(tmp_path: Path) -> None:
    """With the names that would do, and those that are there."""
    said = problems(tmp_path, "when,what\n1,2\n")

    assert 3 == len(said)
    assert all("the columns are: when, what" in problem for problem in said)


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    """So is a folder."""
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(SpecError, match="cannot be read"):
            read_traffic(path)


LINE = st.one_of(
    st.tuples(st.floats(0, 1e6), st.integers(1, 10**6), st.integers(0, 10**6)).map(
        lambda row: f"{row[0]!r},{row[1]},{row[2]}"
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0"), max_size=30),
)


@given(st.lists(LINE, max_size=20))
def test_every_line_is_used_or_counted(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    """Whatever is in them: requests and lines left out add up to the lines of the file."""
    folder = tmp_path_factory.mktemp("log")
    log = read(folder, HEADER + "0.5,1,1\n" + "".join(f"{line}\n" for line in lines))

    assert len(lines) + 1 == len(log.requests.arrivals_s) + sum(fault.lines for fault in log.left_out)
    assert sorted(log.requests.arrivals_s) == list(log.requests.arrivals_s)


@given(st.binary(max_size=200))
def test_no_file_is_a_traceback(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """A file is read, or refused with problems."""
    folder = tmp_path_factory.mktemp("log")
    with suppress(SpecError):
        assert read(folder, content).requests.arrivals_s
