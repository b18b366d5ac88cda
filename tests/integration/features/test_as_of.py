"""Random histories of a change log and of every registry, asked for every day.

What was delivered late, unordered, twice, corrected or at the very cut-off; the answers of the
`…_as_of` views are held against naive Python that knows nothing of their SQL.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from paymentor_assets.features.build import dbt_environment, plan_build, prepare, run_dbt
from resources.duck import connect, load_lake_extensions
from tests.support.raw_lake import RawLake

Row = dict[str, Any]
FIRST = date(2026, 3, 25)  # a month's end, and Europe's change of clocks, lie in between
DAYS = [FIRST + timedelta(days=i) for i in range(12)]
#: Kolkata: five and a half hours ahead of UTC, all year.
AHEAD = timedelta(hours=5, minutes=30)


class History:
    """Random rows of each raw table, with files, deliveries and instants that collide."""

    def __init__(self, lake: RawLake, seed: int) -> None:
        self._lake = lake
        self._rng = random.Random(seed)
        self.tables: dict[str, list[Row]] = {"raw.ingested_files": []}
        self._portfolio_changes()
        self._registries()
        self._us_dnc()

    def day(self) -> date:
        return self._rng.choice(DAYS)

    def instant(self) -> datetime:
        """An hour of some day; sometimes the very cut-off."""
        if self._rng.random() < 0.15:
            return self._lake.lender.cutoff_utc(self.day()).replace(tzinfo=None)
        day = self.day() + timedelta(days=self._rng.randrange(2))
        return datetime.combine(day, datetime.min.time()) + timedelta(hours=self._rng.randrange(24))

    def file(self, feed: str, known_at: datetime, name: str, **more: Any) -> str:
        """One accepted file; returns its id, whose order has nothing to do with its name's."""
        file_id = f"{self._rng.randrange(1 << 40):010x}"
        row = {
            "file_id": file_id,
            "feed": feed,
            "uri": f"meridian/{feed}/{name}",
            "business_date": self.day(),
            "known_at": known_at,
            "status": "ingested",
        }
        self.tables["raw.ingested_files"].append(row | more)
        return file_id

    def deliver(self, table: str, feed: str, rows: Sequence[Row]) -> None:
        """The rows as files of a few rows each, one in five of them twice."""
        left = list(rows)
        self._rng.shuffle(left)
        while left:
            size = self._rng.randrange(1, 6)
            piece, left = left[:size], left[size:]
            for _ in range(1 + (self._rng.random() < 0.2)):
                known_at = self.instant()
                file_id = self.file(feed, known_at, f"{self._rng.randrange(1000)}.csv")
                self.append(table, piece, known_at, file_id)

    def append(self, table: str, rows: Iterable[Row], known_at: datetime, file_id: str) -> None:
        place = {"_known_at": known_at, "_file_id": file_id}
        self.tables.setdefault(table, []).extend(
            row | place | {"_row_number": number} for number, row in enumerate(rows, start=1)
        )

    def _portfolio_changes(self) -> None:
        commits = sorted(self.instant() for _ in range(150))
        changes = [
            {
                "account_id": f"A{self._rng.randrange(25)}",
                "op": self._rng.choice("IUUUD"),
                "committed_at_utc": committed,
                "city": f"city-{number}",
            }
            for number, committed in enumerate(commits)
        ]
        name = 0
        while changes:
            size = self._rng.randrange(1, 9)
            piece, changes = changes[:size], changes[size:]
            name += 1
            # Known late, at the same instant as another file, again, or again and corrected.
            for attempt in range(self._rng.choice((1, 1, 1, 2))):
                known_at = self.instant()
                file_id = self.file("portfolio_changes", known_at, f"{name:05d}-{attempt}.csv")
                if attempt and self._rng.random() < 0.5:
                    piece = [row | {"city": row["city"] + "-corrected"} for row in piece]
                numbered = [row | {"change_number": i} for i, row in enumerate(piece, start=1)]
                self.append("raw.portfolio_changes", numbered, known_at, file_id)

    def _registries(self) -> None:
        rng, day, instant = self._rng, self.day, self.instant

        def until() -> date | None:
            return day() if rng.random() < 0.5 else None

        def some(count: int, make: Callable[[], Row]) -> list[Row]:
            return [make() for _ in range(count)]

        made: dict[str, list[Row]] = {
            "blacklist": some(
                60,
                lambda: {
                    "customer_id": f"C{rng.randrange(8)}",
                    "listed_date": day(),
                    "delisted_date": until(),
                    "reason": rng.choice("xy"),
                },
            ),
            "dnd_registry": some(
                80,
                lambda: {
                    "phone_token": f"p{rng.randrange(8)}",
                    "registry": rng.choice(("NCPR", "US_DNC")),
                    "categories": rng.choice(("0", "1;2")),
                    "listed_date": day(),
                    "delisted_date": until(),
                },
            ),
            "fraud_reports": some(
                60,
                lambda: {
                    "report_id": f"F{rng.randrange(15)}",
                    "customer_id": f"C{rng.randrange(4)}",
                    "reported_date": day(),
                    "kind": "theft",
                    "status": rng.choice(("open", "confirmed", "dismissed")),
                },
            ),
            "contact_permissions": some(
                120,
                lambda: {
                    "permission_id": f"S{rng.randrange(60)}",
                    "customer_id": f"C{rng.randrange(3)}",
                    "channel": rng.choice(("sms", "voice")),
                    "purpose": rng.choice(("collections", "marketing")),
                    "status": rng.choice(("granted", "withdrawn")),
                    "effective_at_utc": instant(),
                },
            ),
            "scrub_results": some(
                80,
                lambda: {
                    "phone_token": f"p{rng.randrange(4)}",
                    "header_id": rng.choice(("HEAD-A", "HEAD-B")),
                    "content_template_id": rng.choice(("T1", "T2")),
                    "result": rng.choice(("accept", "reject")),
                    "scrubbed_at_utc": instant(),
                },
            ),
            "reassigned_numbers": some(
                80,
                lambda: {
                    "phone_token": f"p{rng.randrange(4)}",
                    "consent_date": rng.choice(DAYS[:3]),
                    "result": rng.choice(("yes", "no", "no_data")),
                    "checked_at_utc": instant(),
                },
            ),
        }
        for feed, rows in made.items():
            self.deliver(f"raw.{feed}", feed, rows)

    def _us_dnc(self) -> None:
        rng = self._rng
        for number in range(10):
            known_at = self.instant()
            file_id = self.file("us_dnc_list", known_at, f"{number}.txt")
            areas = rng.sample(("206", "305", "702"), rng.randrange(1, 3))
            rows = [
                {"area_code": area, "phone_token": f"{area}-{i}"}
                for area in areas
                for i in range(6)
                if rng.random() < 0.6
            ]
            self.append("raw.us_dnc_list", rows, known_at, file_id)
            if rng.random() < 0.4:
                self.tables["raw.ingested_files"].append(
                    self.tables["raw.ingested_files"][-1]
                    | {"business_date": self.day(), "known_at": self.instant()}
                    | {"status": "duplicate", "uri": f"meridian/us_dnc_list/{number}-again.txt"}
                )
        changes = [
            {
                "area_code": area,
                "phone_token": f"{area}-{rng.randrange(8)}",
                "changed_date": self.day(),
                "change": rng.choice("AD"),
            }
            for area in (rng.choice(("206", "305", "702", "808")) for _ in range(60))
        ]
        self.deliver("raw.us_dnc_changes", "us_dnc_changes", changes)


class Oracle:
    """The answers, day by day, straight from the rows."""

    def __init__(self, lake: RawLake, tables: Mapping[str, list[Row]]) -> None:
        self._lake = lake
        self._tables = tables

    def known(self, table: str, day: date) -> list[Row]:
        cutoff = self._lake.lender.cutoff_utc(day).replace(tzinfo=None)
        name = "known_at" if table == "raw.ingested_files" else "_known_at"
        return [row for row in self._tables[table] if row[name] <= cutoff]

    def newest(self, table: str, key: Sequence[str], day: date) -> list[Row]:
        found: dict[tuple[Any, ...], Row] = {}
        order = ("_known_at", "_file_id", "_row_number")
        for row in sorted(self.known(table, day), key=lambda r: [r[c] for c in order]):
            found[tuple(row[c] for c in key)] = row
        return list(found.values())

    def listed(self, table: str, key: Sequence[str], day: date) -> list[Row]:
        return [
            row
            for row in self.newest(table, key, day)
            if row["listed_date"] <= day
            and (row["delisted_date"] is None or row["delisted_date"] > day)
        ]

    def last_said(
        self, table: str, key: Sequence[str], instant: str, subject: Sequence[str], day: date
    ) -> list[Row]:
        found: dict[tuple[Any, ...], Row] = {}
        rows = [r for r in self.newest(table, key, day) if local_day(r[instant]) <= day]
        for row in sorted(rows, key=lambda r: (r[instant], r.get("status") == "withdrawn")):
            found[tuple(row[c] for c in subject)] = row
        return list(found.values())

    def accounts(self, day: date) -> list[Row]:
        uri = {f["file_id"]: f["uri"] for f in self._tables["raw.ingested_files"]}
        found: dict[str, tuple[Any, Row]] = {}
        for row in self.known("raw.portfolio_changes", day):
            if local_day(row["committed_at_utc"]) > day:
                continue
            place = (uri[row["_file_id"]], row["change_number"])
            rank = (row["committed_at_utc"], row["_known_at"], *place)
            if row["account_id"] not in found or rank > found[row["account_id"]][0]:
                found[row["account_id"]] = (rank, row)
        return [row for _, row in found.values() if row["op"] != "D"]

    def us_dnc(self, day: date) -> list[Row]:
        lists: dict[str, tuple[date, set[str]]] = {}
        for file in self.known("raw.ingested_files", day):
            if file["feed"] != "us_dnc_list" or file["business_date"] > day:
                continue
            rows = [r for r in self._tables["raw.us_dnc_list"] if r["_file_id"] == file["file_id"]]
            for area in {r["area_code"] for r in rows}:
                phones = {r["phone_token"] for r in rows if r["area_code"] == area}
                dated, before = lists.get(area, (date.min, set()))
                if file["business_date"] == dated:
                    lists[area] = (dated, before | phones)
                elif file["business_date"] > dated:
                    lists[area] = (file["business_date"], phones)
        on = {phone for _, phones in lists.values() for phone in phones}
        changes = [c for c in self.known("raw.us_dnc_changes", day) if c["changed_date"] <= day]
        for change in sorted(changes, key=lambda c: (c["changed_date"], c["change"] == "A")):
            dated, listed = lists.get(change["area_code"], (date.min, set()))
            phone = change["phone_token"]
            if change["changed_date"] < dated:
                continue
            if change["change"] == "A":
                on.add(phone)
            elif not (change["changed_date"] == dated and phone in listed):
                on.discard(phone)
        return [{"phone_token": phone} for phone in on]

    def deliveries(self, day: date) -> list[Row]:
        found: dict[str, date] = {}
        for file in self.known("raw.ingested_files", day):
            if file["business_date"] <= day and file["feed"] != "portfolio_changes":
                found[file["feed"]] = max(found.get(file["feed"], date.min), file["business_date"])
        return [{"feed": f, "age_days": (day - dated).days} for f, dated in found.items()]


def local_day(instant: datetime) -> date:
    """The calendar day in Kolkata."""
    return (instant + AHEAD).date()


def answers(oracle: Oracle) -> dict[str, tuple[tuple[str, ...], Callable[[date], list[Row]]]]:
    """Of each view: the columns that are compared, and what they hold on a day."""
    return {
        "int_portfolio_as_of": (("account_id", "city"), oracle.accounts),
        "int_blacklist_as_of": (
            ("customer_id", "reason", "listed_date"),
            lambda day: oracle.listed("raw.blacklist", ("customer_id", "listed_date"), day),
        ),
        "int_dnd_registry_as_of": (
            ("phone_token", "registry", "categories", "listed_date"),
            lambda day: oracle.listed(
                "raw.dnd_registry", ("phone_token", "registry", "listed_date"), day
            ),
        ),
        "int_fraud_reports_as_of": (
            ("report_id", "customer_id", "status"),
            lambda day: [
                row
                for row in oracle.newest("raw.fraud_reports", ("report_id",), day)
                if row["reported_date"] <= day and row["status"] != "dismissed"
            ],
        ),
        "int_contact_permissions_as_of": (
            ("customer_id", "channel", "purpose", "status"),
            lambda day: oracle.last_said(
                "raw.contact_permissions",
                ("permission_id",),
                "effective_at_utc",
                ("customer_id", "channel", "purpose"),
                day,
            ),
        ),
        "int_scrub_results_as_of": (
            ("phone_token", "header_id", "content_template_id", "result"),
            lambda day: oracle.last_said(
                "raw.scrub_results",
                ("phone_token", "header_id", "content_template_id", "scrubbed_at_utc"),
                "scrubbed_at_utc",
                ("phone_token", "header_id", "content_template_id"),
                day,
            ),
        ),
        "int_reassigned_numbers_as_of": (
            ("phone_token", "consent_date", "result"),
            lambda day: oracle.last_said(
                "raw.reassigned_numbers",
                ("phone_token", "consent_date", "checked_at_utc"),
                "checked_at_utc",
                ("phone_token", "consent_date"),
                day,
            ),
        ),
        "int_us_dnc_as_of": (("phone_token",), oracle.us_dnc),
        "int_registry_deliveries_as_of": (("feed", "age_days"), oracle.deliveries),
    }


@pytest.mark.parametrize("seed", [1])
def test_every_day_answers_as_it_could_know(tmp_path: Any, seed: int) -> None:
    lake = RawLake(tmp_path)
    history = History(lake, seed)
    for table, rows in history.tables.items():
        lake.deliver(table, lake.delivered(DAYS[0]), rows)
    lake.publish(DAYS[-1])
    plan = plan_build(lake.settings, lake.lake, lake.lender, DAYS, lake.run())
    prepare(plan)
    select = ("run", "--select", "+path:models/intermediate/as_of")
    run_dbt(dbt_environment(lake.settings, plan.place), plan, select)
    with connect(plan.place.scratch, read_only=True) as con:
        load_lake_extensions(con)
        for view, (columns, answer) in answers(Oracle(lake, history.tables)).items():
            found = con.execute(
                f"SELECT as_of_date, {', '.join(columns)} FROM intermediate.{view} ORDER BY ALL"
            ).fetchall()
            expected = [(day, *(row[c] for c in columns)) for day in DAYS for row in answer(day)]
            assert sorted(found) == sorted(expected), view
            assert len({len([r for r in found if r[0] == day]) for day in DAYS}) > 1, view
