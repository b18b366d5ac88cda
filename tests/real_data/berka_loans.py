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

from paymentor_assets.models import feature_frame
from paymentor_assets.models.families import customer_ranking
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
    """Terms and features of each loan on its eve, and whether it turned bad, in order of grant.

    The features are those of customer_ranking, by the frame that training and daily scoring use;
    none is chosen by outcome. One without any value (there is no bureau here) is left out, since
    the families refuse it. Indexed by loan.
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
    marts = {contract.name: rows for contract, rows in house.marts_of(eves).items()}
    accounts = marts["features.account_features"]
    features = feature_frame.build(accounts, marts["features.customer_profile"])
    con.register("accounts", accounts)
    con.register("features", features)
    names = [feature.name for feature in customer_ranking.FEATURES if feature.name not in TERMS]
    frame = (
        con.execute(
            f"""
            SELECT CAST(l.loan_id AS VARCHAR) AS loan_id, l.status,
                   {", ".join(f"CAST(a.{name} AS DOUBLE) AS {name}" for name in TERMS)},
                   {", ".join(f"f.{name}" for name in names)}
            FROM loans AS l
            JOIN accounts AS a
              ON a.account_id = 'loan-' || l.loan_id AND a.as_of_date = l.opened - 1
            JOIN features AS f ON f.account_id = a.account_id AND f.as_of_date = a.as_of_date
            ORDER BY l.opened, l.loan_id
            """
        )
        .df()
        .set_index("loan_id")
    )
    is_bad = frame.pop("status").isin(BAD).to_numpy(dtype=np.float64)
    return DataSet(frame.dropna(axis="columns", how="all"), is_bad)
