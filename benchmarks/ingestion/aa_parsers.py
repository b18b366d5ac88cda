"""Account Aggregator data, JSON and XML: bytes to text and typed columns against the bare parser.

`python -m benchmarks.ingestion.aa_parsers [--rows N]` prints, for the same bytes in one run, the
CPU seconds of the bare parser (`orjson.loads` a line; lxml's `iterparse` for the accounts, each
cleared when read) and of our steps as a multiple of it: text columns in Arrow, the `fields_*` that
the contract's checks read, and those with types. Synthetic accounts of a hundred transactions.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import duckdb
import orjson
import pyarrow as pa
from lxml import etree

from paymentor_assets.ingestion.contracts.book import load_feeds
from paymentor_assets.ingestion.parsers.aa_accounts import AaAccounts
from paymentor_assets.ingestion.parsers.interface import Source
from resources.duck import connect

TRANSACTIONS_AN_ACCOUNT = 100
#: What text columns may cost, in CPU of the bare parser.
GOAL = 2
_ROUNDS = 7
_TYPED = """
    CREATE OR REPLACE TEMP TABLE typed AS
    SELECT * REPLACE (
        try_cast(amount AS DECIMAL(18, 2)) AS amount,
        try_cast(balance_after AS DECIMAL(18, 2)) AS balance_after,
        try_cast(transacted_at_utc AS TIMESTAMPTZ) AS transacted_at_utc,
        try_cast(left(value_date, 10) AS DATE) AS value_date
    ) FROM fields_1
"""


@dataclass(frozen=True)
class Measured:
    """CPU seconds of one form: the bare parser, ours up to Arrow, up to `fields_*`, and typed."""

    form: str
    megabytes: float
    bare: float
    columns: float
    staged: float
    typed: float


def envelope(number: int) -> dict[str, object]:
    """One account of the JSON form."""
    return {
        "consentId": f"CO{number}",
        "customerId": f"C{number}",
        "fipId": "EXAMPLE-BANK",
        "linkRefNumber": f"L{number}",
        "fetchedAt": "2026-06-30T18:00:00Z",
        "account": {
            "linkedAccRef": f"L{number}",
            "maskedAccNumber": "XXXXXXXX1234",
            "version": "2.0.0",
            "type": "deposit",
            "profile": {
                "holders": {"type": "SINGLE", "holder": [{"name": f"ASHA EXAMPLE {number}"}]}
            },
            "summary": {
                "currentBalance": "47910.50",
                "currency": "INR",
                "balanceDateTime": "2026-06-30T23:59:59+05:30",
                "accountType": "REGULAR",
                "accountSubType": "SAVINGS",
                "openingDate": "2015-04-01",
                "status": "ACTIVE",
            },
            "transactions": {
                "transaction": [
                    {
                        "txnId": f"T{number}-{k}",
                        "type": "DEBIT",
                        "mode": "NACH",
                        "amount": f"{100 + k}.00",
                        "transactionalBalance": "48500.50",
                        "transactionTimestamp": "2026-06-05T06:00:00+05:30",
                        "valueDate": "2026-06-05",
                        "narration": f"ACH D- EXAMPLE NBFC EMI {k}",
                        "reference": f"A{number:05d}{k:04d}",
                    }
                    for k in range(TRANSACTIONS_AN_ACCOUNT)
                ]
            },
        },
    }


def as_json(accounts: int) -> bytes:
    """JSON lines of so many accounts."""
    return b"".join(orjson.dumps(envelope(i)) + b"\n" for i in range(accounts))


def as_xml(accounts: int) -> bytes:
    """The same accounts as XML: members are attributes, nested members elements."""
    parts = [b"<FIData>\n"]
    for i in range(accounts):
        document = envelope(i)
        account = document.pop("account")
        element = _element("FI", document)
        element.append(_element("Account", account))
        parts.append(etree.tostring(element) + b"\n")
    return b"".join([*parts, b"</FIData>\n"])


def _element(tag: str, members: object) -> etree._Element:
    element = etree.Element(tag)
    assert isinstance(members, dict)
    for name, value in members.items():
        if isinstance(value, str):
            element.set(name, value)
            continue
        for member in value if isinstance(value, list) else [value]:
            element.append(_element(name[:1].upper() + name[1:], member))
    return element


def measure(form: str, content: bytes) -> Measured:
    """Best of a few rounds of each step, on the same bytes."""
    lines = content.split(b"\n")[:-1]

    def bare_json() -> None:
        for line in lines:
            orjson.loads(line)

    def bare_xml() -> None:
        for _, element in etree.iterparse(BytesIO(content), tag="FI", resolve_entities=False):
            element.clear()
            while element.getprevious() is not None:
                del element.getparent()[0]

    with connect() as con:
        return Measured(
            form,
            len(content) / 1e6,
            *_best(
                bare_json if form == "JSON" else bare_xml,
                lambda: _ours(None, content, is_typed=False),
                lambda: _ours(con, content, is_typed=False),
                lambda: _ours(con, content, is_typed=True),
            ),
        )


def _ours(con: duckdb.DuckDBPyConnection | None, content: bytes, *, is_typed: bool) -> None:
    parser = AaAccounts(load_feeds()["aa_deposits"])
    schemas = parser.tables()
    for batch in parser.read(Source(BytesIO(content), 0, "benchmark", Path())):
        if con is None:
            continue
        for name, rows in batch.items():
            con.register(name, pa.Table.from_batches([rows], schemas[name]))
        parser.stage(con)
        if is_typed:
            con.execute(_TYPED)


def _best(*steps: Callable[[], None]) -> list[float]:
    """The least CPU seconds of each step; the rounds take turns, since a busy machine changes its
    pace by the second."""
    seconds = [math.inf] * len(steps)
    for _ in range(_ROUNDS):
        for i, step in enumerate(steps):
            begin = time.process_time()
            step()
            seconds[i] = min(seconds[i], time.process_time() - begin)
    return seconds


def table(results: list[Measured]) -> str:
    """The figures as a Markdown table, our steps as multiples of the bare parser."""
    lines = [
        "| form | MB | bare parser, CPU s | text columns | `fields_*` | with types |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {r.form} | {r.megabytes:.1f} | {r.bare:.2f} | {r.columns / r.bare:.1f}x "
        f"| {r.staged / r.bare:.1f}x | {r.typed / r.bare:.1f}x |"
        for r in results
    ]
    return "\n".join([*lines, "", f"Best of {_ROUNDS} rounds. The goal is {GOAL}x, text columns."])


def main() -> None:
    """Measure both forms and write the table to standard output."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=200_000, help="transactions to read")
    accounts = max(1, options.parse_args().rows // TRANSACTIONS_AN_ACCOUNT)
    results = [measure("JSON", as_json(accounts)), measure("XML", as_xml(accounts))]
    sys.stdout.write(table(results) + "\n")


if __name__ == "__main__":
    main()
