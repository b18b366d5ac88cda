"""The offers of a day: one priced product for each customer who could carry it.

Two types, in one pass each: an application answers the customer's own, for the product applied for;
marketing goes to those who have not applied. Who has applied gets no marketing even when nothing
can be offered: otherwise account-aggregator data would decide, through a refusal, who is marketed
to.

Acceptance: a product's share of yes in past campaigns (control group apart, one answer an offer),
drawn to the lender's overall share with the weight of `prior_offers` offers. It is a prior for
ordering offers, not a model of the person; the policy version in every row says which one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import duckdb
import pyarrow as pa

from paymentor_assets.features.purposes import aa_columns, profile_as_seen_sql
from paymentor_assets.ids import deterministic_id_sql
from paymentor_assets.offers.affordability import READ_FROM_PROFILE, affordability_sql
from paymentor_assets.offers.policy import Acceptance, OfferPolicy, OfferType, Standing
from paymentor_assets.offers.pricing import amount_carried_sql, emi_sql
from resources.duck import connect, quote
from resources.errors import ContractError
from resources.lakehouse import MONEY, TIMESTAMP

READ_FROM_ACCOUNTS = (
    "account_id",
    "customer_id",
    "product",
    "currency",
    "emi_amount",
    "months_on_book",
    "days_past_due",
    "max_dpd_180d",
    "sma_class",
    "account_status",
    "is_delinquent",
)
READ_FROM_CAMPAIGNS = ("response_id", "product", "response", "is_control")

OFFERS = pa.schema(
    [
        ("offer_id", pa.string()),
        ("customer_id", pa.string()),
        ("product", pa.string()),
        ("currency", pa.string()),
        ("amount", MONEY),
        ("annual_rate", pa.float64()),
        ("tenor_months", pa.int64()),
        ("emi", MONEY),
        ("affordability", pa.float64()),
        ("affordability_after", pa.float64()),
        ("declared_monthly_income", MONEY),
        ("p_accept", pa.float64()),
        ("expected_margin", MONEY),
        ("expires_at_utc", TIMESTAMP),
        ("offer_type", pa.string()),
        ("aa_data", pa.string()),
    ]
)
MARKETING, APPLICATION = "marketing", "application"


@dataclass(frozen=True)
class OfferInputs:
    """What offers of one lender and day are made from; `campaigns` is empty without history."""

    profile: pa.Table
    accounts: pa.Table
    campaigns: pa.Table


def offer_candidates(
    inputs: OfferInputs, policy: OfferPolicy, *, lender_id: str, day: date, known_until: datetime
) -> pa.Table:
    """Offers (schema OFFERS), the best product a customer, ordered by customer.

    `known_until` is the cut-off of the day (naive UTC), from which validity runs. Raises
    ContractError when an input lacks a column.
    """
    with connect() as con:
        _register(con, "profile", inputs.profile, READ_FROM_PROFILE)
        _register(con, "accounts", inputs.accounts, READ_FROM_ACCOUNTS)
        _register(con, "campaigns", inputs.campaigns, READ_FROM_CAMPAIGNS)
        _prices(con, policy)
        _applicants(con, policy.types.application, known_until)
        sql = _offers_sql(lender_id, day, known_until)
        found = []
        for name, terms in (
            (MARKETING, policy.types.marketing),
            (APPLICATION, policy.types.application),
        ):
            _able(con, name, terms)
            _acceptance(con, name, terms.acceptance, policy)
            found.append(con.execute(sql, {"offer_type": name}).to_arrow_table().cast(OFFERS))
    return pa.concat_tables(found).sort_by("customer_id")


def _register(
    con: duckdb.DuckDBPyConnection, name: str, rows: pa.Table, columns: tuple[str, ...]
) -> None:
    missing = [column for column in columns if column not in rows.column_names]
    if missing:
        raise ContractError(f"The {name} rows for offers lack {missing}.")
    con.register(name, rows.select(list(columns)))


def _applicants(
    con: duckdb.DuckDBPyConnection, application: OfferType, known_until: datetime
) -> None:
    """Customers with an application of their own within the days that the policy allows."""
    con.execute(
        "CREATE TABLE applicants AS SELECT customer_id FROM profile "
        "WHERE applied_at_utc > CAST(? AS TIMESTAMP) - to_days(CAST(? AS INTEGER))",
        [known_until, application.applied_within_days],
    )


def _able(con: duckdb.DuckDBPyConnection, name: str, terms: OfferType) -> None:
    """Table `able`: for whom the type is and what they can carry, on what the type may see."""
    con.execute(f"CREATE OR REPLACE TABLE good_standing AS {_good_standing_sql(terms.standing)}")
    joined = "SEMI" if name == APPLICATION else "ANTI"
    theirs = f"(FROM profile {joined} JOIN applicants USING (customer_id))"
    seen = profile_as_seen_sql(theirs, READ_FROM_PROFILE, terms.aa_purpose, tagged=aa_columns())
    able = affordability_sql(terms, f"({seen})", "good_standing")
    con.execute(f"CREATE OR REPLACE TABLE able AS {able}")


def _good_standing_sql(standing: Standing) -> str:
    """Customers all of whose accounts were on time for 180 days, with their own instalments."""
    return f"""
        SELECT customer_id, currency, sum(emi_amount) FILTER (WHERE account_status = 'open')
          AS own_emi
        FROM accounts
        WHERE customer_id IN (
          SELECT customer_id FROM accounts GROUP BY customer_id
          HAVING bool_and(coalesce(max_dpd_180d = 0 AND days_past_due = 0
              AND NOT is_delinquent AND sma_class = 'STANDARD'
              AND account_status <> 'charged_off', false))
            AND max(months_on_book) >= {standing.min_months_on_book})
        GROUP BY customer_id, currency
        HAVING own_emi IS NOT NULL
    """


def _acceptance(
    con: duckdb.DuckDBPyConnection, name: str, prior: Acceptance, policy: OfferPolicy
) -> None:
    """Table `acceptance`, by product. Campaigns are marketing and teach nothing about the rest."""
    products = ", ".join(f"({quote(name)})" for name in sorted(policy.products))
    con.execute(
        f"""
        CREATE OR REPLACE TABLE acceptance AS
        WITH answers AS (SELECT product, response = 'accepted' AS is_yes
            FROM campaigns WHERE NOT is_control AND {quote(name)} = {quote(MARKETING)}),
        overall AS (SELECT (count(*) FILTER (WHERE is_yes)
              + {prior.prior_share!r} * {prior.prior_offers})
              / (count(*) + {prior.prior_offers}) AS share FROM answers),
        counted AS (SELECT product, count(*) AS offered, count(*) FILTER (WHERE is_yes) AS accepted
            FROM answers GROUP BY product)
        SELECT p.product, round((coalesce(c.accepted, 0) + o.share * {prior.prior_offers})
            / (coalesce(c.offered, 0) + {prior.prior_offers}), 6) AS p_accept
        FROM (VALUES {products}) p(product) CROSS JOIN overall o LEFT JOIN counted c USING (product)
        """
    )


def _prices(con: duckdb.DuckDBPyConnection, policy: OfferPolicy) -> None:
    rows = [
        {
            "product": name,
            "currency": currency,
            "tenor_months": product.tenor_months,
            "annual_margin": product.annual_margin,
            "valid_days": product.valid_days,
            "least": amounts.least,
            "most": amounts.most,
            "step": amounts.step,
            "min_score": band.min_score,
            "annual_rate": band.annual_rate,
        }
        for name, product in sorted(policy.products.items())
        for currency, amounts in sorted(product.amounts.items())
        for band in product.rates
    ]
    con.register("prices", pa.Table.from_pylist(rows))


def _offers_sql(lender_id: str, day: date, known_until: datetime) -> str:
    carried = amount_carried_sql("r.room_monthly", "r.annual_rate", "r.tenor_months")
    identity = deterministic_id_sql(
        quote("offer"), quote(lender_id), quote(day.isoformat()), "customer_id", "product"
    )
    return f"""
        WITH priced AS (
          -- The best band the score reaches.
          SELECT a.*, r.* EXCLUDE (currency, min_score)
          FROM able a JOIN prices r ON r.currency = a.currency AND a.bureau_score >= r.min_score
            AND ($offer_type <> {quote(APPLICATION)} OR r.product = a.applied_product)
          QUALIFY row_number() OVER (
            PARTITION BY a.customer_id, a.currency, r.product ORDER BY r.min_score DESC) = 1
        ), sized AS (
          SELECT r.*, CAST(least(floor({carried} / r.step) * r.step,
            r.most) AS DECIMAL(18,2)) AS amount
          FROM priced r WHERE r.room_monthly > 0
        ), valued AS (
          SELECT s.*, {emi_sql("s.amount", "s.annual_rate", "s.tenor_months")} AS emi, c.p_accept,
            CAST(round(CAST(s.amount AS DOUBLE) * s.annual_margin * s.tenor_months / 24, 2)
              AS DECIMAL(18,2)) AS expected_margin
          FROM sized s JOIN acceptance c USING (product)
          WHERE s.amount >= s.least
            -- A second loan of a kind they already repay is a refinancing, which is not offered
            -- here; an application that was granted shows as such a loan, too.
            AND NOT EXISTS (SELECT 1 FROM accounts o WHERE o.customer_id = s.customer_id
              AND o.product = s.product AND o.account_status = 'open')
        )
        SELECT {identity} AS offer_id, customer_id, product, currency, amount, annual_rate,
          tenor_months, emi, affordability,
          round(affordability + CAST(emi AS DOUBLE) / CAST(income AS DOUBLE), 6)
            AS affordability_after,
          declared_monthly_income, p_accept, expected_margin,
          TIMESTAMP {quote(known_until.isoformat(sep=" "))} + to_days(CAST(valid_days AS INTEGER))
            AS expires_at_utc,
          $offer_type AS offer_type, aa_data
        FROM valued
        QUALIFY row_number() OVER (PARTITION BY customer_id
          ORDER BY p_accept * CAST(expected_margin AS DOUBLE) DESC, currency, product) = 1
        ORDER BY customer_id
    """
