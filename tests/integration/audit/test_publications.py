"""Publications: all tables of a stage become visible together, or none; exactly these days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from paymentor_assets.audit.publications import (
    PUBLICATIONS,
    Publication,
    RunInfo,
    all_publications,
    compare_with_published,
    newest,
    publication_named,
    publish_days,
    publish_heads,
    read_table,
    require,
)
from resources import crash_points
from resources.crash_points import SimulatedCrash
from resources.errors import NotFound, PublicationError
from resources.lakehouse import MONEY, Lakehouse, TableContract, column

MONDAY, TUESDAY, WEDNESDAY = date(2026, 6, 29), date(2026, 6, 30), date(2026, 7, 1)
Amounts = Mapping[str, str]


def contract(name: str) -> TableContract:
    return TableContract(
        name,
        pa.schema(
            [
                column("lender_id", pa.string(), "lender"),
                column("as_of_date", pa.date32(), "day"),
                column("account_id", pa.string(), "account"),
                column("amount", MONEY, "amount"),
                column("_run_id", pa.string(), "run"),
            ]
        ),
        ("lender_id", "account_id", "as_of_date"),
        "A table of the test.",
    )


ACTIONS, OFFERS = contract("decisions.actions"), contract("decisions.offers")


def rows(
    amounts: Amounts, day: date = MONDAY, lender: str = "north", run: str = "run-1"
) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "lender_id": lender,
                "as_of_date": day,
                "account_id": account,
                "amount": Decimal(amount),
                "_run_id": run,
            }
            for account, amount in amounts.items()
        ],
        schema=ACTIONS.schema,
    )


def publish(
    lake: Lakehouse,
    run: RunInfo,
    tables: Mapping[TableContract, pa.Table],
    *days: date,
    lender: str = "north",
    stage: str = "decisions",
    inputs: tuple[str, ...] = (),
) -> Publication:
    return publish_days(
        lake,
        stage=stage,
        lender_id=lender,
        days=days or (MONDAY,),
        tables=tables,
        inputs=inputs,
        run=run,
    )


def visible(
    lake: Lakehouse, table: TableContract, day: date = MONDAY, lender: str = "north"
) -> dict[str, str] | None:
    """What a reader of the newest publication sees; None before the first one."""
    publication = newest(lake, "decisions", lender, day)
    if publication is None:
        return None
    return {
        row["account_id"]: str(row["amount"])
        for row in read_table(lake, publication, table, day).to_pylist()
    }


def at_head(lake: Lakehouse, table: TableContract) -> list[tuple[str, date, str, str]]:
    return sorted(
        (r["lender_id"], r["as_of_date"], r["account_id"], str(r["amount"]))
        for r in lake.scan(table.name).to_pylist()
    )


OLD: Amounts = {"a": "1.00", "b": "2.00"}
NEW: Amounts = {"b": "2.50", "c": "3.00"}
POINTS = [
    "audit.publish.after_table_commit",
    "audit.publish.before_row",
    "audit.publish.after_row",
]


def test_every_crash_point_of_publishing_is_tried_below() -> None:
    assert [n for n in crash_points.names() if n.startswith("audit.publish.")] == POINTS


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("has_old", [True, False])
def test_a_crash_shows_all_or_nothing_and_the_retry_repairs_it(
    lake: Lakehouse, run: RunInfo, point: str, has_old: bool
) -> None:
    if has_old:
        publish(lake, run, {ACTIONS: rows(OLD), OFFERS: rows(OLD)})
    wanted = {ACTIONS: rows(NEW), OFFERS: rows(NEW)}
    with pytest.raises(SimulatedCrash), crash_points.armed(point):
        publish(lake, run, wanted)

    expected = NEW if point == "audit.publish.after_row" else (OLD if has_old else None)
    assert visible(lake, ACTIONS) == visible(lake, OFFERS) == expected

    publish(lake, replace(run, run_id="run-2"), wanted)
    assert visible(lake, ACTIONS) == visible(lake, OFFERS) == NEW
    assert len(at_head(lake, ACTIONS)) == len(at_head(lake, OFFERS)) == len(NEW)
    assert [p.sequence for p in all_publications(lake)] == ([1, 2] if has_old else [1])
    assert not publish(lake, run, wanted).is_new


def test_a_crashed_day_does_not_leak_into_the_publication_of_another_day(
    lake: Lakehouse, run: RunInfo
) -> None:
    publish(lake, run, {ACTIONS: rows(OLD)})
    with (
        pytest.raises(SimulatedCrash),
        crash_points.armed("audit.publish.after_table_commit"),
    ):
        publish(lake, run, {ACTIONS: rows(NEW)})
    publish(lake, run, {ACTIONS: rows({"x": "9.00"}, TUESDAY)}, TUESDAY)
    assert visible(lake, ACTIONS) == OLD
    assert visible(lake, ACTIONS, TUESDAY) == {"x": "9.00"}


def test_the_same_content_again_commits_nothing_whatever_run_and_order(
    lake: Lakehouse, run: RunInfo
) -> None:
    first = publish(lake, run, {ACTIONS: rows(OLD), OFFERS: rows({})})
    heads = [lake.head(name) for name in (ACTIONS.name, OFFERS.name, PUBLICATIONS.name)]
    backwards = rows(dict(reversed(OLD.items())), run="run-9")
    again = publish(lake, RunInfo("run-9", "v2", run.clock), {OFFERS: rows({}), ACTIONS: backwards})
    assert first.is_new and not again.is_new
    assert again == replace(first, is_new=False)
    assert heads == [lake.head(n) for n in (ACTIONS.name, OFFERS.name, PUBLICATIONS.name)]


def test_an_empty_rerun_withdraws_exactly_that_day_of_that_lender(
    lake: Lakehouse, run: RunInfo
) -> None:
    publish(lake, run, {OFFERS: rows(OLD)})
    publish(lake, run, {OFFERS: rows(OLD, TUESDAY)}, TUESDAY)
    publish(lake, run, {OFFERS: rows(OLD, lender="south")}, lender="south")
    withdrawn = publish(lake, run, {OFFERS: rows({})})
    assert withdrawn.is_new
    assert visible(lake, OFFERS) == {}
    assert visible(lake, OFFERS, TUESDAY) == visible(lake, OFFERS, lender="south") == OLD
    assert {row[:2] for row in at_head(lake, OFFERS)} == {("north", TUESDAY), ("south", MONDAY)}
    assert not publish(lake, run, {OFFERS: rows({})}).is_new


def test_going_back_to_earlier_content_is_news(lake: Lakehouse, run: RunInfo) -> None:
    published = [publish(lake, run, {ACTIONS: rows(a)}) for a in (OLD, NEW, OLD)]
    assert all(p.is_new for p in published)
    assert len({p.publication_id for p in published}) == 3
    assert visible(lake, ACTIONS) == OLD


def test_an_unchanged_table_keeps_its_snapshot_when_another_changes(
    lake: Lakehouse, run: RunInfo
) -> None:
    first = publish(lake, run, {ACTIONS: rows(OLD), OFFERS: rows(OLD)})
    second = publish(lake, run, {ACTIONS: rows(NEW), OFFERS: rows(OLD)})
    assert second.table(OFFERS.name).snapshot_id == first.table(OFFERS.name).snapshot_id
    assert second.table(ACTIONS.name).snapshot_id != first.table(ACTIONS.name).snapshot_id
    assert visible(lake, ACTIONS) == NEW and visible(lake, OFFERS) == OLD


def test_of_a_history_only_the_changed_days_are_written(lake: Lakehouse, run: RunInfo) -> None:
    def history(tuesday: Amounts) -> pa.Table:
        days = {MONDAY: OLD, TUESDAY: tuesday, WEDNESDAY: OLD}
        return pa.concat_tables([rows(a, day) for day, a in days.items()])

    days = (MONDAY, TUESDAY, WEDNESDAY)
    first = publish(lake, run, {ACTIONS: history(OLD)}, *days)
    second = publish(lake, run, {ACTIONS: history(NEW)}, *days)
    assert first.as_of_dates == days and first.as_of_date == WEDNESDAY
    assert second.as_of_dates == (TUESDAY,)
    assert newest(lake, "decisions", "north", MONDAY) == replace(first, is_new=False)
    assert [visible(lake, ACTIONS, day) for day in days] == [OLD, NEW, OLD]
    # The older publication still says what it said.
    assert read_table(lake, first, ACTIONS, TUESDAY).num_rows == len(OLD)


def test_two_lenders_publish_into_one_table_without_touching_each_other(
    lake: Lakehouse, run: RunInfo
) -> None:
    publish(lake, run, {ACTIONS: rows(OLD)})
    publish(lake, run, {ACTIONS: rows(NEW, lender="south")}, lender="south")
    publish(lake, run, {ACTIONS: rows({"z": "7.00"})})
    assert visible(lake, ACTIONS) == {"z": "7.00"}
    assert visible(lake, ACTIONS, lender="south") == NEW
    assert newest(lake, "decisions", "east") is None


REFUSED = {
    "another lender": ({"lender": "south"}, "rows of .*south.* published as north's"),
    "another day": ({"day": TUESDAY}, "rows of .*2026-06-30.* not among the days"),
}


@pytest.mark.parametrize(("foreign", "sentence"), REFUSED.values(), ids=REFUSED)
def test_foreign_rows_are_refused_and_nothing_is_written(
    lake: Lakehouse, run: RunInfo, foreign: Mapping[str, object], sentence: str
) -> None:
    mixed = pa.concat_tables([rows(OLD), rows(NEW, **foreign)])  # type: ignore[arg-type]
    with pytest.raises(PublicationError, match=sentence):
        publish(lake, run, {OFFERS: rows(OLD), ACTIONS: mixed})
    assert not lake.exists(ACTIONS.name) and not lake.exists(OFFERS.name)
    assert all_publications(lake) == []


@pytest.mark.parametrize("missing", ["lender_id", "as_of_date"])
def test_rows_without_lender_or_day_are_refused(
    lake: Lakehouse, run: RunInfo, missing: str
) -> None:
    broken = [row | {missing: None} for row in rows(OLD).to_pylist()]
    with pytest.raises(PublicationError, match="None"):
        publish(lake, run, {ACTIONS: pa.Table.from_pylist(broken, schema=ACTIONS.schema)})


def test_a_repeated_key_is_refused_and_nothing_is_written(lake: Lakehouse, run: RunInfo) -> None:
    publish(lake, run, {ACTIONS: rows(OLD), OFFERS: rows(OLD)})
    twice = pa.concat_tables([rows({"a": "1.00"}), rows({"a": "1.01"})])
    with pytest.raises(PublicationError, match=r"decisions\.actions: the key .* is not unique"):
        publish(lake, run, {OFFERS: rows(NEW), ACTIONS: twice})
    assert visible(lake, ACTIONS) == visible(lake, OFFERS) == OLD


def expire(lake: Lakehouse, table: TableContract, snapshot_id: int) -> None:
    lake.load(table.name).maintenance.expire_snapshots().by_id(snapshot_id).commit()
    assert not lake.has_snapshot(table.name, snapshot_id)


def test_an_expired_snapshot_is_read_from_the_head_after_its_digest_is_checked(
    lake: Lakehouse, run: RunInfo
) -> None:
    first = publish(lake, run, {ACTIONS: rows(OLD)})
    publish(lake, run, {ACTIONS: rows(NEW, TUESDAY)}, TUESDAY)
    expire(lake, ACTIONS, first.table(ACTIONS.name).snapshot_id)
    assert visible(lake, ACTIONS) == OLD
    some = read_table(lake, first, ACTIONS, columns=("account_id",))
    assert some.column_names == ["account_id"] and some.num_rows == len(OLD)


def test_an_expired_snapshot_whose_rows_were_altered_is_refused(
    lake: Lakehouse, run: RunInfo
) -> None:
    first = publish(lake, run, {ACTIONS: rows(OLD)})
    publish(lake, run, {ACTIONS: rows({"a": "1.00", "b": "2.01"})})
    expire(lake, ACTIONS, first.table(ACTIONS.name).snapshot_id)
    with pytest.raises(PublicationError, match=r"was expired.*2026-06-29 no longer match"):
        read_table(lake, first, ACTIONS)


class Overtaken(Lakehouse):
    """A lakehouse where somebody publishes between this writer's look and its commit."""

    intruders: list[Callable[[], object]]

    def ensure(self, contract: TableContract) -> object:
        table = super().ensure(contract)
        if contract is PUBLICATIONS and self.intruders:
            self.intruders.pop()()
        return table


def overtaken(open_lake: Callable[[], Lakehouse], run: RunInfo, times: int) -> Overtaken:
    mine = open_lake()
    other = open_lake()
    lake = Overtaken(mine._properties)
    lake.intruders = [
        lambda n=n: publish_heads(
            other, stage="ingestion", lender_id="south", day=MONDAY, tables={"raw.x": n}, run=run
        )
        for n in range(times)
    ]
    return lake


def test_a_writer_that_was_overtaken_takes_the_next_number(
    open_lake: Callable[[], Lakehouse], run: RunInfo
) -> None:
    publish(open_lake(), run, {ACTIONS: rows(OLD)})
    racing = overtaken(open_lake, run, 3)
    mine = publish(racing, run, {ACTIONS: rows(NEW)})
    racing.catalog.close()
    lake = open_lake()
    assert mine.sequence == 5
    assert [p.sequence for p in all_publications(lake)] == [1, 2, 3, 4, 5]
    assert [p.stage for p in all_publications(lake)][1:] == ["ingestion"] * 3 + ["decisions"]
    assert visible(lake, ACTIONS) == NEW


def test_a_writer_that_is_overtaken_without_end_says_so_and_shows_nothing(
    open_lake: Callable[[], Lakehouse], run: RunInfo
) -> None:
    publish(open_lake(), run, {ACTIONS: rows(OLD)})
    racing = overtaken(open_lake, run, 8)
    with pytest.raises(PublicationError, match="overtaken 8 times by other writers; run it again"):
        publish(racing, run, {ACTIONS: rows(NEW)})
    racing.catalog.close()
    assert visible(open_lake(), ACTIONS) == OLD


def test_heads_of_append_only_tables_add_up(lake: Lakehouse, run: RunInfo) -> None:
    def heads(day: date, **tables: int) -> Publication:
        named = {f"raw.{name}": snapshot for name, snapshot in tables.items()}
        return publish_heads(
            lake, stage="ingestion", lender_id="north", day=day, tables=named, run=run
        )

    assert heads(TUESDAY, payments=1).is_new
    both = heads(MONDAY, portfolio=2)
    assert {name: t.snapshot_id for name, t in both.tables.items()} == {
        "raw.payments": 1, "raw.portfolio": 2,
    }  # fmt: skip
    assert both.as_of_date == TUESDAY, "a late file of an earlier day does not set the day back"
    assert not heads(TUESDAY, portfolio=2).is_new
    assert heads(TUESDAY, portfolio=3).is_new
    assert len(all_publications(lake)) == 3


def test_publications_are_found_by_stage_lender_day_and_id(lake: Lakehouse, run: RunInfo) -> None:
    assert all_publications(lake) == [] and newest(lake, "decisions", "north") is None
    with pytest.raises(PublicationError, match="Stage decisions of lender north has published no"):
        require(lake, "decisions", "north")
    first = publish(lake, run, {ACTIONS: rows(OLD)}, inputs=("z", "y"))
    assert first.inputs == ("y", "z")
    with pytest.raises(PublicationError, match="nothing for 2026-06-30; run that stage first"):
        require(lake, "decisions", "north", TUESDAY)
    found = publication_named(lake, first.publication_id)
    assert found == require(lake, "decisions", "north", MONDAY) == replace(first, is_new=False)
    with pytest.raises(NotFound, match="No publication 'nothing'"):
        publication_named(lake, "nothing")
    with pytest.raises(PublicationError, match=r"has no table raw\.x; it has decisions\.actions"):
        found.table("raw.x")


def test_a_commit_says_who_made_it_and_for_which_publication(lake: Lakehouse, run: RunInfo) -> None:
    first = publish(lake, run, {ACTIONS: rows(OLD)})
    summary = lake.summary(ACTIONS.name, first.table(ACTIONS.name).snapshot_id)
    assert summary["run-id"] == "run-1" and summary["code-version"] == "v1"
    assert summary["as-of-date"] == "2026-06-29"
    assert summary["publication-id"] == first.publication_id


def test_a_comparison_says_what_publishing_would_change(lake: Lakehouse, run: RunInfo) -> None:
    def compare(**amounts: Amounts) -> dict[str, str]:
        return compare_with_published(
            lake,
            stage="decisions",
            lender_id="north",
            day=MONDAY,
            tables={contract(f"decisions.{n}"): rows(a) for n, a in amounts.items()},
        )

    assert "never published" in compare(actions=OLD)["decisions.actions"]
    publish(lake, run, {ACTIONS: rows(OLD)})
    before = lake.head(ACTIONS.name)
    assert compare(actions=OLD) == {}
    assert compare(actions={"a": "1.00"})["decisions.actions"].startswith("1 rows now, 2 rows as")
    assert "never published" in compare(actions=OLD, offers=OLD)["decisions.offers"]
    assert lake.head(ACTIONS.name) == before
