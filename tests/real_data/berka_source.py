"""The Berka bank tables as DuckDB views, cleaned but not interpreted.

What belongs here: reading `.asc.gz`, dates, the two spellings of one code, one row a transaction.
What does not: what a row means to the platform (`berka_aa`, `berka_portfolio`).

The source (PKDD'99, `SOURCE.txt` beside the data) states dates as YYMMDD, all of the 20th century,
and a client's sex in the birth number: 50 is added to the month of a woman.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from resources.duck import connect, quote

#: Source file of each table.
FILES = {
    "account": "account.asc.gz",
    "client": "client.asc.gz",
    "disp": "disp.asc.gz",
    "district": "district.asc.gz",
    "loan": "loan.asc.gz",
    "orders": "order.asc.gz",
    "trans_first_15_months": "trans_19930101_19940331.asc.gz",
    "trans_before_loans": "trans_preloan_354_loans.csv.gz",
}
#: The last day for which transactions of all accounts are in the source.
LAST_FULL_DAY = "1994-03-31"

_DATE = "CAST(strptime('19' || {0}, '%Y%m%d') AS DATE)"

#: The English file says in words what the Czech one says in codes.
_OPERATIONS = {
    "credit in cash": "VKLAD",
    "withdrawal in cash": "VYBER",
    "credit card withdrawal": "VYBER KARTOU",
    "collection from another bank": "PREVOD Z UCTU",
    "remittance to another bank": "PREVOD NA UCET",
}
_SYMBOLS = {
    "interest credited": "UROK",
    "household": "SIPO",
    "insurrance payment": "POJISTNE",  # so spelt in the source
    "payment for statement": "SLUZBY",
    "sanction interest if negative balance": "SANKC. UROK",
}
_TYPES = {
    "PRIJEM": "CREDIT",
    "credit": "CREDIT",
    "VYDAJ": "DEBIT",
    "withdrawal": "DEBIT",
    # A cash withdrawal is typed as what it is instead of as an expense in some rows.
    "VYBER": "DEBIT",
    "withdrawal in cash": "DEBIT",
}


def open_source(directory: Path) -> duckdb.DuckDBPyConnection:
    """A connection with one view a source file, all text, and the cleaned tables below.

    `transactions` (trans_id, account_id, day, direction, operation, symbol, amount, balance),
    `loans` (loan_id, account_id, opened, amount, duration, emi, status),
    `owners` (account_id, client_id, is_female, birth_year, city, region, district_id).
    """
    con = connect()
    for table, file in FILES.items():
        con.execute(
            f"CREATE VIEW src_{table} AS SELECT * FROM read_csv({quote(str(directory / file))}, "
            "delim=';', header=true, quote='\"', all_varchar=true)"
        )
    con.execute(
        f"""
        CREATE TABLE transactions AS
        WITH both_files AS (
            SELECT *, 1 AS file FROM src_trans_first_15_months
            UNION ALL SELECT *, 2 FROM src_trans_before_loans
        )
        SELECT CAST(trans_id AS BIGINT) AS trans_id,
               CAST(account_id AS BIGINT) AS account_id,
               {_DATE.format("date")} AS day,
               {_mapped("type", _TYPES)} AS direction,
               {_mapped("nullif(trim(operation), '')", _OPERATIONS)} AS operation,
               {_mapped("nullif(trim(k_symbol), '')", _SYMBOLS)} AS symbol,
               CAST(amount AS DECIMAL(18, 2)) AS amount,
               CAST(balance AS DECIMAL(18, 2)) AS balance
        FROM both_files
        QUALIFY row_number() OVER (PARTITION BY trans_id ORDER BY file) = 1
        """
    )
    con.execute(
        f"""
        CREATE TABLE loans AS
        SELECT CAST(loan_id AS BIGINT) AS loan_id, CAST(account_id AS BIGINT) AS account_id,
               {_DATE.format("date")} AS opened, CAST(amount AS DECIMAL(18, 2)) AS amount,
               CAST(duration AS INTEGER) AS duration, CAST(payments AS DECIMAL(18, 2)) AS emi,
               status
        FROM src_loan
        """
    )
    con.execute(
        """
        CREATE TABLE owners AS
        SELECT CAST(d.account_id AS BIGINT) AS account_id, CAST(c.client_id AS BIGINT) AS client_id,
               CAST(substr(birth_number, 3, 2) AS INTEGER) > 50 AS is_female,
               1900 + CAST(substr(birth_number, 1, 2) AS INTEGER) AS birth_year,
               CAST(c.district_id AS INTEGER) AS district_id, r.A2 AS city, r.A3 AS region
        FROM src_disp d
        JOIN src_client c USING (client_id)
        JOIN src_district r ON r.A1 = c.district_id
        WHERE d.type = 'OWNER'
        """
    )
    return con


def count(con: duckdb.DuckDBPyConnection, query: str) -> int:
    """The single number of a query."""
    row = con.execute(query).fetchone()
    assert row is not None
    return int(row[0])


def _mapped(expression: str, codes: dict[str, str]) -> str:
    """`expression` with these spellings replaced and every other value kept."""
    cases = " ".join(f"WHEN {quote(old)} THEN {quote(new)}" for old, new in codes.items())
    return f"CASE {expression} {cases} ELSE {expression} END"
