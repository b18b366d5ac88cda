"""Berka transactions as Account Aggregator deliveries: consents and deposit v2.0.0 payloads.

Every account with transactions is fetched at the end of each month that has some, under a consent
for monitoring (purpose 104) that its owner gave when the first of them happened. Such a consent may
last five years; an account older than that gave a second one in between. The bank's codes
become a narration in both languages, from which the platform derives the category. The source has
no times, so noon in Prague stands for each day.
"""

from __future__ import annotations

import duckdb

from resources.duck import quote

#: Accounts that had transactions before this day renewed their consent on it.
RENEWED_ON = "1994-06-01"

_MODES = {
    "VKLAD": "CASH",
    "VYBER": "CASH",
    "VYBER KARTOU": "CARD",
    "PREVOD Z UCTU": "FT",
    "PREVOD NA UCET": "FT",
}
_NARRATIONS = {
    "UROK": "UROK INTEREST CREDITED",
    "DUCHOD": "DUCHOD OLD-AGE PENSION",
    "SIPO": "SIPO HOUSEHOLD",
    "POJISTNE": "POJISTNE INSURANCE PREMIUM",
    "UVER": "UVER LOAN INSTALMENT",
    "SLUZBY": "SLUZBY STATEMENT FEE",
    "SANKC. UROK": "SANKC. UROK SANCTION FOR NEGATIVE BALANCE",
    "VKLAD": "VKLAD DEPOSIT",
    "VYBER": "VYBER WITHDRAWAL",
    "VYBER KARTOU": "VYBER KARTOU CARD",
    "PREVOD Z UCTU": "PREVOD Z UCTU FROM ANOTHER BANK",
    "PREVOD NA UCET": "PREVOD NA UCET TO ANOTHER BANK",
}


def build(con: duckdb.DuckDBPyConnection, fetched_on: str = "last_day(day)") -> None:
    """Make `aa_consents` and `aa_deposits`: a JSON `line` and the `business_date` of its file.

    `fetched_on` says on which day a row of `transactions` is fetched, in SQL.
    """
    con.execute(
        f"""
        CREATE TABLE coded AS
        SELECT trans_id, account_id, day, {fetched_on} AS fetched_on, direction, amount, balance,
               CASE WHEN symbol = 'UROK' THEN 'INTEREST_CREDIT'
                    -- The bank books its own charges as cash withdrawals.
                    WHEN symbol IN ('SLUZBY', 'SANKC. UROK') THEN 'OTHERS'
                    {_cases("operation", _MODES)} ELSE 'OTHERS' END AS mode,
               CASE {_cases("coalesce(symbol, operation)", _NARRATIONS)}
                    ELSE error('no narration for ' || coalesce(symbol, operation, 'nothing'))
               END AS narration
        FROM transactions
        """
    )
    _consents(con)
    _deposits(con)


def _consents(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        f"""
        CREATE TABLE aa_consents AS
        WITH firsts AS (
            SELECT account_id, client_id, min(day) AS first_day, min(fetched_on) AS first_fetch
            FROM coded JOIN owners USING (account_id)
            GROUP BY account_id, client_id
        ),
        given AS (
            SELECT 'consent-' || account_id AS consent_id, account_id, client_id, first_day,
                   CASE WHEN first_day < DATE '{RENEWED_ON}' THEN TIMESTAMP '{RENEWED_ON}'
                        ELSE first_day + INTERVAL 5 YEAR END AS expiry,
                   first_fetch AS business_date
            FROM firsts
            UNION ALL
            SELECT 'consent-' || account_id || '-renewed', account_id, client_id,
                   DATE '{RENEWED_ON}', TIMESTAMP '{RENEWED_ON}' + INTERVAL 5 YEAR,
                   last_day(DATE '{RENEWED_ON}')
            FROM firsts WHERE first_day < DATE '{RENEWED_ON}'
        )
        SELECT to_json({{
               'consentId': consent_id,
               'customerId': 'client-' || client_id,
               'status': 'ACTIVE',
               'createTimestamp': strftime(first_day, '%Y-%m-%dT00:00:00.000Z'),
               'ConsentDetail': {{
                   'consentStart': strftime(first_day, '%Y-%m-%dT00:00:00.000Z'),
                   'consentExpiry': strftime(expiry, '%Y-%m-%dT00:00:00.000Z'),
                   'consentMode': 'STORE',
                   'fetchType': 'PERIODIC',
                   'consentTypes': ['PROFILE', 'SUMMARY', 'TRANSACTIONS'],
                   'fiTypes': ['DEPOSIT'],
                   'DataConsumer': {{'id': 'berka', 'type': 'FIU'}},
                   'Customer': {{
                       'id': 'client-' || client_id || '@berka-aa',
                       'Identifiers': [{{
                           'type': 'EMAIL', 'value': 'client-' || client_id || '@berka.example'
                       }}]
                   }},
                   'Purpose': {{
                       'code': '104',
                       'refUri': 'https://api.rebit.org.in/aa/purpose/104.xml',
                       'text': 'Explicit consent to monitor the accounts',
                       'Category': {{'type': 'Financial Reporting'}}
                   }},
                   'FIDataRange': {{
                       'from': strftime(first_day, '%Y-%m-%dT00:00:00.000Z'),
                       'to': strftime(expiry, '%Y-%m-%dT00:00:00.000Z')
                   }},
                   'DataLife': {{'unit': 'MONTH', 'value': 1}},
                   'Frequency': {{'unit': 'MONTH', 'value': 5}}
               }}
               }}) AS line,
               account_id AS position, business_date
        FROM given
        """
    )


def _deposits(con: duckdb.DuckDBPyConnection) -> None:
    con.execute(
        f"""
        CREATE TABLE aa_deposits AS
        WITH signed AS (
            SELECT *, balance - CASE direction WHEN 'CREDIT' THEN amount ELSE -amount END AS before
            FROM coded
        ),
        -- The balance a fetch ends with: on its last day, one that no other transaction starts from
        -- (transaction ids do not order a day).
        closing AS (
            SELECT s.account_id, s.fetched_on, s.balance
            FROM signed s
            WHERE s.day = (
                SELECT max(day) FROM signed o
                WHERE o.account_id = s.account_id AND o.fetched_on = s.fetched_on
            )
            QUALIFY row_number() OVER (
                PARTITION BY s.account_id, s.fetched_on
                ORDER BY (
                    SELECT count(*) FROM signed n
                    WHERE n.account_id = s.account_id AND n.day = s.day AND n.before = s.balance
                      AND n.trans_id <> s.trans_id
                ), s.trans_id DESC
            ) = 1
        ),
        fetched AS (
            SELECT account_id, fetched_on,
                   list({{
                       'txnId': CAST(trans_id AS VARCHAR),
                       'type': direction,
                       'mode': mode,
                       'amount': CAST(amount AS VARCHAR),
                       'transactionalBalance': CAST(balance AS VARCHAR),
                       'transactionTimestamp': strftime(
                           (day + TIME '12:00:00') AT TIME ZONE 'Europe/Prague',
                           '%Y-%m-%dT%H:%M:%SZ'),
                       'valueDate': strftime(day, '%Y-%m-%d'),
                       'narration': narration,
                       'reference': CAST(trans_id AS VARCHAR)
                   }} ORDER BY day, trans_id) AS lines
            FROM coded
            GROUP BY account_id, fetched_on
        )
        SELECT to_json({{
               'consentId': 'consent-' || f.account_id || CASE
                   WHEN fetched_on >= DATE '{RENEWED_ON}' AND g.first_day < DATE '{RENEWED_ON}'
                   THEN '-renewed' ELSE '' END,
               'customerId': 'client-' || o.client_id,
               'fipId': 'BERKA',
               'linkRefNumber': 'account-' || f.account_id,
               'fetchedAt': strftime(fetched_on, '%Y-%m-%dT20:00:00Z'),
               'account': {{
                   'linkedAccRef': 'account-' || f.account_id,
                   'maskedAccNumber': 'XXXXXXXX' || right('0000' || f.account_id, 4),
                   'version': '2.0.0',
                   'type': 'deposit',
                   'profile': {{'holders': {{'type': 'SINGLE', 'holder': [{{
                       'name': CASE WHEN o.is_female THEN 'Pani Zkusebni ' ELSE 'Pan Zkusebni ' END
                               || o.client_id,
                       'dob': o.birth_year || '-01-01',
                       'nominee': 'NOT_REGISTERED',
                       'address': o.city,
                       'email': 'client-' || o.client_id || '@berka.example',
                       'ckycRegistered': 'NO'
                   }}]}}}},
                   'summary': {{
                       'currentBalance': CAST(c.balance AS VARCHAR),
                       'currency': 'CZK',
                       'balanceDateTime': strftime(fetched_on, '%Y-%m-%dT20:00:00Z'),
                       'accountType': 'REGULAR',
                       'accountSubType': 'SAVINGS',
                       'branch': o.city,
                       'facility': 'NO_FACILITY_GRANTED',
                       'openingDate': strftime(
                           strptime('19' || a.date, '%Y%m%d'), '%Y-%m-%d'),
                       'currentODLimit': '0',
                       'drawingLimit': '0',
                       'status': 'ACTIVE',
                       'pendingTxns': {{'pendingTxn': CAST([] AS VARCHAR[])}}
                   }},
                   'transactions': {{
                       'startDate': strftime(date_trunc('month', fetched_on), '%Y-%m-%d'),
                       'endDate': strftime(fetched_on, '%Y-%m-%d'),
                       'transaction': f.lines
                   }}
               }}
               }}) AS line,
               f.account_id AS position, f.fetched_on AS business_date
        FROM fetched f
        JOIN closing c USING (account_id, fetched_on)
        JOIN owners o USING (account_id)
        JOIN (SELECT account_id, min(day) AS first_day FROM coded GROUP BY account_id) g
          USING (account_id)
        JOIN src_account a ON CAST(a.account_id AS BIGINT) = f.account_id
        """
    )


def _cases(expression: str, codes: dict[str, str]) -> str:
    return " ".join(
        f"WHEN {expression} = {quote(code)} THEN {quote(text)}" for code, text in codes.items()
    )
