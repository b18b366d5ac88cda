"""Content digests: equal for the same rows in any order, different for any other rows."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from paymentor_assets.audit.digest import EMPTY_DIGEST, content_digest, digests_by_day
from resources.lakehouse import MONEY, TIMESTAMP, TableContract, column

TEXTS = TableContract(
    "audit.texts",
    pa.schema([column(n, pa.string(), n) for n in ("a", "b", "_run_id")]),
    ("a",),
    "Two texts.",
)
DAYS = TableContract(
    "audit.days",
    pa.schema([column("as_of_date", pa.date32(), "day"), column("n", pa.int64(), "number")]),
    ("as_of_date", "n"),
    "Numbers by day.",
)
ALL_TYPES = TableContract(
    "audit.all_types",
    pa.schema(
        [
            column("text", pa.string(), "text"),
            column("day", pa.date32(), "date"),
            column("at_utc", TIMESTAMP, "instant"),
            column("amount", MONEY, "money"),
            column("rate", pa.float64(), "rate"),
            column("is_it", pa.bool_(), "question"),
            column("number", pa.int32(), "number"),
        ]
    ),
    ("text",),
    "One column of each type of the house.",
)

texts = st.one_of(st.none(), st.text(alphabet="a-01:,;\x1f é", max_size=4))
rows = st.lists(st.tuples(texts, texts), max_size=6)


def texts_table(pairs: list[tuple[str | None, str | None]], run: str = "r") -> pa.Table:
    return pa.Table.from_pylist(
        [{"a": a, "b": b, "_run_id": run} for a, b in pairs], schema=TEXTS.schema
    )


def digest(pairs: list[tuple[str | None, str | None]], run: str = "r") -> str:
    return content_digest(texts_table(pairs, run), TEXTS).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((None, "x"), ("", "x")),
        ((None, "x"), ("-", "x")),
        (("", "x"), ("-", "x")),
        (("ab", "c"), ("a", "bc")),
        (("a", None), (None, "a")),
        (("1:a", ""), ("", "1:a")),
        (("a", "-"), ("a", None)),
        (("a1:b", "c"), ("a", "b1:c")),
        (("é", "x"), ("e", "x")),
        (("a", "x"), ("A", "x")),
        (("a", "x"), ("a ", "x")),
    ],
)
def test_rows_that_look_alike_are_told_apart(
    one: tuple[str | None, str | None], other: tuple[str | None, str | None]
) -> None:
    assert digest([one]) != digest([other])


@settings(deadline=None, max_examples=25)
@given(pairs=rows, seed=st.randoms(use_true_random=False))
def test_order_does_not_matter(pairs: list[tuple[str | None, str | None]], seed: object) -> None:
    shuffled = list(pairs)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert digest(pairs) == digest(shuffled)


@settings(deadline=None, max_examples=25)
@given(one=rows, other=rows)
def test_different_rows_have_different_digests(
    one: list[tuple[str | None, str | None]], other: list[tuple[str | None, str | None]]
) -> None:
    assume(sorted(map(repr, one)) != sorted(map(repr, other)))
    assert digest(one) != digest(other)


def test_a_row_twice_is_not_a_row_once() -> None:
    assert digest([("a", "b")] * 2) != digest([("a", "b")])


def test_columns_that_begin_with_an_underscore_do_not_count() -> None:
    assert digest([("a", "b")], run="monday") == digest([("a", "b")], run="tuesday")


def test_no_rows_have_the_empty_digest() -> None:
    found = content_digest(texts_table([]), TEXTS)
    assert (found.digest, found.rows) == (EMPTY_DIGEST, 0)
    assert digests_by_day(DAYS.schema.empty_table(), DAYS) == {}


def test_chunks_and_string_widths_do_not_matter() -> None:
    table = texts_table([("a", "b"), ("c", None), ("d", "")])
    in_chunks = pa.concat_tables([table.slice(2), table.slice(0, 2)])
    wide = table.cast(pa.schema([(n, pa.large_string()) for n in table.column_names]))
    assert (
        content_digest(table, TEXTS) == content_digest(in_chunks, TEXTS)
        == content_digest(wide, TEXTS)
    )  # fmt: skip


def test_a_slice_has_the_digest_of_a_copy_of_it() -> None:
    """Nothing before or after the rows is read, nor what lies under nulls."""
    whole = pa.Table.from_pylist(
        [
            {
                "text": None if n % 3 == 0 else f"text {n:02}",
                "amount": None if n % 4 == 0 else Decimal(n),
                "is_it": None if n % 5 == 0 else n % 2 == 0,
            }
            for n in range(30)
        ],
        schema=ALL_TYPES.schema,
    )
    for start, length in [(0, 7), (3, 11), (9, 1), (17, 13)]:
        part = whole.slice(start, length)
        copy = pa.Table.from_pylist(part.to_pylist(), schema=ALL_TYPES.schema)
        assert content_digest(part, ALL_TYPES) == content_digest(copy, ALL_TYPES)
        rest = pa.concat_tables([whole.slice(0, start), whole.slice(start + length)])
        back = pa.concat_tables([rest, part])
        assert content_digest(back, ALL_TYPES) == content_digest(whole, ALL_TYPES)


def test_what_is_no_number_is_one_value_however_it_was_computed() -> None:
    rates = [
        pa.array(np.array([bits], np.uint64).view(np.float64))
        for bits in (0x7FF8 << 48, 0xFFF8 << 48)
    ]
    one, other = (
        pa.table({n: rate if n == "rate" else pa.nulls(1) for n in ALL_TYPES.column_names})
        for rate in rates
    )
    assert content_digest(one, ALL_TYPES) == content_digest(other, ALL_TYPES)


def test_column_order_of_the_rows_does_not_matter_that_of_the_contract_does() -> None:
    table = texts_table([("a", "b")])
    assert content_digest(table.select(["_run_id", "b", "a"]), TEXTS) == content_digest(
        table, TEXTS
    )


def test_a_digest_a_day_covers_that_day_alone() -> None:
    first, second = date(2026, 6, 29), date(2026, 6, 30)
    both = pa.table({"as_of_date": [first, second, second], "n": [1, 2, 3]}, schema=DAYS.schema)
    found = digests_by_day(both, DAYS)
    assert {day: d.rows for day, d in found.items()} == {first: 1, second: 2}
    assert found[first] == content_digest(both.slice(0, 1), DAYS)
    assert found[second] == content_digest(both.slice(1), DAYS)


CHANGES: list[tuple[str, object]] = [
    ("text", "u"),
    ("day", date(2026, 6, 29)),
    ("at_utc", datetime(2026, 6, 30, 12, 0, 0, 2)),  # noqa: DTZ001
    ("amount", Decimal("10.01")),
    ("rate", 0.1 + 0.2),
    ("is_it", None),
    ("number", -1),
]


@pytest.mark.parametrize(("name", "value"), CHANGES)
def test_the_smallest_change_of_any_type_shows(name: str, value: object) -> None:
    row: dict[str, object] = {
        "text": "t",
        "day": date(2026, 6, 30),
        "at_utc": datetime(2026, 6, 30, 12, 0, 0, 1),  # noqa: DTZ001
        "amount": Decimal("10.00"),
        "rate": 0.3,
        "is_it": False,
        "number": 1,
    }

    def of(changed: dict[str, object]) -> str:
        table = pa.Table.from_pylist([changed], schema=ALL_TYPES.schema)
        return content_digest(table, ALL_TYPES).digest

    assert of(row) == of(dict(row))
    assert of(row) != of(row | {name: value})
    assert of(row) != of(row | {name: None}) or value is None


def test_many_rows_have_one_digest_whatever_the_threads_do() -> None:
    table = pa.table(
        {"as_of_date": pa.array([date(2026, 6, 30)] * 200_000, pa.date32()), "n": range(200_000)},
        schema=DAYS.schema,
    )
    backwards = table.take(pa.array(range(199_999, -1, -1)))
    assert content_digest(table, DAYS) == content_digest(backwards, DAYS)
