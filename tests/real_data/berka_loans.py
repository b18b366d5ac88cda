"""The 354 Berka loans of 1997 and 1998 as applications, with features as of the day before each.

The source has every transaction before these loans and none after. Each applicant's account is
fetched once, on the eve of the grant, and the loan stands in the lender's books from that evening
on, nothing due yet. The platform ingests these files and its dbt project computes the features of
every eve in one build. What belongs here: files, build and frame. What does not: how a family
learns from it (`protocol`).
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np

from paymentor_assets.features.purposes import aa_columns, profile_as_seen_sql
from paymentor_assets.models.families.customer_ranking import AA_PURPOSE
from tests.real_data import berka, berka_aa, berka_portfolio
from tests.real_data.berka_source import open_source
from tests.real_data.model_sets import DataSet
from tests.support.feature_replay import House, known_at

#: Of the loan itself: what is known without looking at the bank account.
TERMS = ["principal_amount", "emi_amount", "tenor_months"]
FEEDS = ("aa_consents", "aa_deposits", "portfolio")
#: Finished and not paid, and running and in debt; A and C are their good counterparts.
BAD = ("B", "D")


def write_applications(directory: Path, home: Path) -> berka.Landing:
    """Write the landing files of the applications, one an eve and feed, under `home`."""
    con = open_source(directory)
    # Only the second file holds all that happened before a loan.
    con.execute(
        """
        DELETE FROM transactions WHERE CAST(trans_id AS VARCHAR) NOT IN (
            SELECT trans_id FROM src_trans_before_loans
        );
        DELETE FROM loans WHERE account_id NOT IN (SELECT account_id FROM transactions);
        """
    )
    berka_portfolio.instalments(con)
    _standing(con)
    berka_portfolio.portfolio(con)
    berka_aa.build(
        con, "(SELECT opened - 1 FROM loans WHERE loans.account_id = transactions.account_id)"
    )
    return berka.write_files(con, home, FEEDS)


def _standing(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        """
        CREATE TABLE standing AS
        SELECT opened - 1 AS day, loan_id, 0 AS paid, CAST(NULL AS DATE) AS last_paid,
               CAST(NULL AS DECIMAL(18, 2)) AS last_amount, 0 AS paid_amount, 0 AS due,
               min(due_date) AS next_due, CAST(NULL AS DATE) AS oldest
        FROM loans JOIN instalments USING (loan_id)
        GROUP BY loan_id, opened
        """
    )


@cache
def loans() -> DataSet:
    """Terms and cash flow of each loan, as published for its eve, and whether it turned bad.

    Every column of features.customer_profile that rests on bank transactions is taken, as a reader
    under consent for monitoring sees it, and none is chosen by outcome; one without any value (no
    narration says so in this bank) is left out, since the families refuse it. Indexed and ordered
    by loan.
    """
    with TemporaryDirectory() as folder:
        landing = write_applications(berka.source_directory(), Path(folder) / "delivered")
        with landing.con as con:
            return _learnable(con, landing, Path(folder))


def _learnable(con: duckdb.DuckDBPyConnection, landing: berka.Landing, folder: Path) -> DataSet:
    house = House(folder / "house", folder / "delivered", berka.LENDER_ID)
    files = sorted((file for files in landing.files.values() for file in files), key=known_at)
    house.knows(files, known_at(files[-1]))
    eves = [eve for (eve,) in con.execute("SELECT DISTINCT day FROM standing").fetchall()]
    for contract, rows in house.marts_of(eves).items():
        con.register(contract.name.split(".")[1], rows)
    cashflow = sorted(aa_columns())
    profile = profile_as_seen_sql(
        "customer_profile",
        ["customer_id", "as_of_date", *cashflow],
        AA_PURPOSE,
        tagged=cashflow,
    )
    numbers = ", ".join(f"CAST({name} AS DOUBLE) AS {name}" for name in [*TERMS, *cashflow])
    frame = (
        con.execute(
            f"""
            SELECT CAST(l.loan_id AS VARCHAR) AS loan_id, l.status, {numbers}
            FROM loans AS l
            JOIN account_features AS a
              ON a.account_id = 'loan-' || l.loan_id AND a.as_of_date = l.opened - 1
            JOIN ({profile}) AS p USING (customer_id, as_of_date)
            ORDER BY l.loan_id
            """
        )
        .df()
        .set_index("loan_id")
    )
    is_bad = frame.pop("status").isin(BAD).to_numpy(dtype=np.float64)
    return DataSet(frame.dropna(axis="columns", how="all"), is_bad)
