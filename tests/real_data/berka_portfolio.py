"""Berka loans as a lender's books: weekly portfolio snapshots, payments, contact permissions.

What the source says, and what is inferred from it:

- A loan is repaid in `duration` equal instalments on the 12th of the month, the first on the first
  12th after the loan was granted. No interest is stated (amount = duration x instalment), so the
  annual rate is 0. Every instalment in the transactions (symbol UVER) obeys this.
- Until 1994-03-31 instalments are observed: UVER transactions, applied to the oldest due first.
- For 1998 (and April 1994) the transactions of running loans are not in the source, but the loan
  table states how the contracts stood at the end of 1998. That is turned into instalments, and
  nothing else is invented: A (finished, no problem) and C (running, fine) paid each instalment on
  its due date; D (running, in debt) paid all but the last three that fell due by 1998-12-31; B
  (finished, not paid) paid all but the last three of the contract, so it stays open and overdue.
- Snapshots are taken on Thursdays: 1994-03-31 and 1998-12-31 are ones.

Names, phones and e-mails are made up and look it. Sex and year of birth (birth number), city and
region (district of the client) are real. The district's average salary is not a declared income,
so that column stays empty; retired is who receives a pension (DUCHOD), everybody else is salaried.
Standing orders have no feed of their own, and the card table says nothing about repayment: unused.
"""

from __future__ import annotations

import duckdb

from tests.real_data.berka_source import LAST_FULL_DAY

#: The last three instalments of bad loans are taken as the unpaid ones.
UNPAID_INSTALMENTS = 3
#: First and last Thursday of the two periods that have snapshots.
OBSERVED = ("1993-07-08", LAST_FULL_DAY)
STATED = ("1998-07-02", "1998-12-31")
#: Instalments are derived from the loan table for the due dates of 1998, and for the month after
#: the last observed day, so that what became of that day is known.
STATED_DUE_DATES = (("1994-04-01", "1994-04-30"), ("1998-01-01", STATED[1]))

_CHANNELS = "['email', 'sms', 'whatsapp', 'voice']"
_PURPOSES = "['collections', 'marketing']"


def build(con: duckdb.DuckDBPyConnection) -> None:
    """Make the tables `portfolio`, `payments` and `contact_permissions` with the feeds' columns.

    Each has a column more, `business_date`, which names the file the row goes to.
    """
    instalments(con)
    _payments(con)
    _standing(con)
    portfolio(con)
    _contact_permissions(con)


def instalments(con: duckdb.DuckDBPyConnection) -> None:
    """Make `instalments`: each that a contract names, its due date, and whether it is unpaid."""
    con.execute(
        f"""
        CREATE TABLE instalments AS
        WITH first_due AS (
            SELECT *, CAST(date_trunc('month', opened) AS DATE) + 11 AS twelfth FROM loans
        ),
        due AS (
            SELECT loan_id, account_id, status, duration, emi, number,
                   CAST(
                       CASE WHEN twelfth > opened THEN twelfth ELSE twelfth + INTERVAL 1 MONTH END
                       + to_months(CAST(number - 1 AS INTEGER)) AS DATE
                   ) AS due_date
            FROM first_due, generate_series(1, duration) AS series(number)
        )
        SELECT *,
               status IN ('B', 'D') AND due_date <= DATE '{STATED[1]}' AND row_number() OVER (
                   PARTITION BY loan_id, due_date <= DATE '{STATED[1]}' ORDER BY number DESC
               ) <= {UNPAID_INSTALMENTS} AS is_unpaid
        FROM due
        """
    )


def _payments(con: duckdb.DuckDBPyConnection) -> None:
    stated = " OR ".join(
        f"due_date BETWEEN DATE '{first}' AND DATE '{last}'" for first, last in STATED_DUE_DATES
    )
    con.execute(
        f"""
        CREATE TABLE payments AS
        WITH receipts AS (
            SELECT 'trans-' || trans_id AS payment_id, loan_id, account_id, day, t.amount
            FROM transactions t JOIN loans l USING (account_id)
            WHERE symbol = 'UVER' AND direction = 'DEBIT' AND day <= DATE '{LAST_FULL_DAY}'
            UNION ALL
            SELECT 'stated-' || loan_id || '-' || number, loan_id, account_id, due_date, emi
            FROM instalments
            WHERE NOT is_unpaid AND ({stated})
        )
        SELECT payment_id, 'loan-' || loan_id AS account_id, 'client-' || client_id AS customer_id,
               day AS value_date, strftime(day, '%Y-%m-%dT09:00:00Z') AS paid_at_utc, amount,
               'CZK' AS currency, 'ach' AS method, 'success' AS status, day AS business_date
        FROM receipts JOIN owners USING (account_id)
        """
    )


def _standing(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        f"""
        CREATE TABLE standing AS
        WITH days AS (
            SELECT CAST(day AS DATE) AS day FROM (
                SELECT unnest(generate_series(
                    DATE '{OBSERVED[0]}', DATE '{OBSERVED[1]}', INTERVAL 7 DAY)) AS day
                UNION ALL
                SELECT unnest(generate_series(
                    DATE '{STATED[0]}', DATE '{STATED[1]}', INTERVAL 7 DAY))
            )
        ),
        observed AS (
            SELECT account_id, day AS paid_on, amount FROM transactions WHERE symbol = 'UVER'
        ),
        -- How many instalments were paid by each day, in both periods.
        paid AS (
            SELECT d.day, l.loan_id, count(o.paid_on) AS paid, max(o.paid_on) AS last_paid,
                   max_by(o.amount, o.paid_on) AS last_amount,
                   coalesce(sum(o.amount), 0) AS paid_amount
            FROM days d JOIN loans l ON l.opened <= d.day
            LEFT JOIN observed o ON o.account_id = l.account_id AND o.paid_on <= d.day
            WHERE d.day <= DATE '{OBSERVED[1]}'
            GROUP BY d.day, l.loan_id
            UNION ALL
            SELECT d.day, l.loan_id, count(i.due_date), max(i.due_date), max(i.emi),
                   coalesce(sum(i.emi), 0)
            FROM days d JOIN loans l ON l.opened <= d.day
            LEFT JOIN instalments i
              ON i.loan_id = l.loan_id AND i.due_date <= d.day AND NOT i.is_unpaid
            WHERE d.day >= DATE '{STATED[0]}'
            GROUP BY d.day, l.loan_id
        )
        SELECT p.day, p.loan_id, any_value(p.paid) AS paid, any_value(p.last_paid) AS last_paid,
               any_value(p.last_amount) AS last_amount,
               any_value(p.paid_amount) AS paid_amount,
               count(*) FILTER (i.due_date <= p.day) AS due,
               min(i.due_date) FILTER (i.due_date > p.day) AS next_due,
               min(i.due_date) FILTER (i.due_date <= p.day AND i.number > p.paid) AS oldest
        FROM paid p JOIN instalments i USING (loan_id)
        GROUP BY p.day, p.loan_id
        """
    )


def portfolio(con: duckdb.DuckDBPyConnection) -> None:
    """Make `portfolio` from `standing`: where a loan stands at the end of a day, one row each."""
    con.execute(
        """
        CREATE TABLE portfolio AS
        WITH pensioners AS (SELECT DISTINCT account_id FROM transactions WHERE symbol = 'DUCHOD')
        SELECT s.day AS snapshot_date,
               'loan-' || l.loan_id AS account_id,
               'client-' || o.client_id AS customer_id,
               CASE WHEN o.is_female THEN 'Pani Zkusebni ' ELSE 'Pan Zkusebni ' END || o.client_id
                   AS full_name,
               '+420000' || lpad(CAST(o.client_id AS VARCHAR), 6, '0') AS phone,
               'client-' || o.client_id || '@berka.example' AS email,
               CAST(NULL AS VARCHAR) AS national_id,
               o.birth_year, 'CZ' AS country, o.region AS state, o.city,
               lpad(CAST(o.district_id AS VARCHAR), 5, '0') AS postal_code,
               'Europe/Prague' AS time_zone, 'en' AS language,
               CASE WHEN pensioners.account_id IS NULL THEN 'salaried' ELSE 'retired' END
                   AS employment_type,
               CAST(NULL AS DECIMAL(18, 2)) AS declared_monthly_income,
               'personal_loan' AS product, least(l.opened, s.day) AS opened_date, 'CZK' AS currency,
               l.amount AS principal_amount,
               -- The bank books some instalments with heller, the contract without.
               greatest(l.amount - s.paid_amount, 0) AS outstanding_amount,
               (s.due - s.paid) * l.emi AS overdue_amount,
               l.emi AS emi_amount, s.next_due AS next_due_date,
               s.oldest AS oldest_unpaid_due_date, s.due - s.paid AS emis_overdue,
               CASE WHEN s.oldest IS NULL THEN 0 ELSE s.day - s.oldest + 1 END AS days_past_due,
               CAST(0 AS DOUBLE) AS annual_rate, l.duration AS tenor_months,
               CASE WHEN s.paid >= l.duration THEN 'closed' ELSE 'open' END AS account_status,
               s.last_paid AS last_payment_date, s.last_amount AS last_payment_amount,
               s.day AS business_date
        FROM standing s
        JOIN loans l USING (loan_id)
        JOIN owners o USING (account_id)
        LEFT JOIN pensioners ON pensioners.account_id = l.account_id
        """
    )


def _contact_permissions(con: duckdb.DuckDBPyConnection) -> None:
    """Everybody permits everything, so that only a missing law can be what stops a contact."""
    con.execute(
        f"""
        CREATE TABLE contact_permissions AS
        SELECT 'permission-' || client_id || '-' || channel || '-' || purpose AS permission_id,
               'client-' || client_id AS customer_id, channel, purpose, 'granted' AS status,
               '1993-01-01T00:00:00Z' AS effective_at_utc, 'assumed' AS source,
               DATE '{OBSERVED[0]}' AS business_date
        FROM (SELECT DISTINCT client_id FROM loans JOIN owners USING (account_id)),
             unnest({_CHANNELS}) AS channels(channel), unnest({_PURPOSES}) AS purposes(purpose)
        """
    )
