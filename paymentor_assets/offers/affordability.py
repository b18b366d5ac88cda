"""What a customer can still carry each month: fixed obligations to income.

Income and obligations are the declared one and what the bureau and our own book show, and, for an
offer type with a purpose, what account-aggregator data under that purpose shows. The profile comes
through `profile_as_seen_sql`: without a purpose or without a consent that covers it those columns
are null here, and the same expressions then rest on the others. `READ_FROM_PROFILE` is all that
this stage reads of a person.
"""

from __future__ import annotations

from paymentor_assets.features.purposes import covers_sql
from paymentor_assets.offers.policy import OfferType
from resources.duck import quote

#: Columns of features.customer_profile that offers read.
READ_FROM_PROFILE = (
    "customer_id",
    "currency",
    "declared_monthly_income",
    "bureau_score",
    "bureau_overdue",
    "total_emi_monthly",
    "enquiries_90d",
    "worst_status_12m",
    "aa_purposes",
    "applied_product",
    "applied_at_utc",
    # Of account aggregators. fixed_obligations_monthly is there whenever a statement is.
    "income_monthly",
    "fixed_obligations_monthly",
)

#: What an offer saw of account-aggregator data. no_purpose: its type may see none; not_covered: the
#: customer has no valid consent for the purpose, so it rests on the declared income; no_statement:
#: there is a consent, and no statement yet; used: a statement was seen.
AA_DATA = ("no_purpose", "not_covered", "no_statement", "used")


def affordability_sql(terms: OfferType, profile: str, own_obligations: str) -> str:
    """SELECT of a customer's currency, score, income, room_monthly, affordability, aa_data, ...

    `profile` is a relation with READ_FROM_PROFILE as the type may see it, `own_obligations` one of
    (customer_id, currency, own_emi). Income is the one seen under consent, else the declared one.
    Obligations are the largest of the bureau's sum, our own book and the fixed monthly outflow seen
    under consent (each may lag the others). `room_monthly` is the instalment that still fits;
    `affordability` the share of income that obligations take already; `aa_data` one of AA_DATA. A
    customer without income, score or a limit for the currency has no row:
    what is not known is not lent on.
    """
    limits = ", ".join(
        f"({quote(currency)}, {share!r})"
        for currency, share in sorted(terms.max_obligations_to_income.items())
    )
    return f"""
        SELECT customer_id, currency, bureau_score, declared_monthly_income, income,
          applied_product, aa_data,
          CAST(income AS DOUBLE) * max_share - CAST(obligations AS DOUBLE) AS room_monthly,
          round(CAST(obligations AS DOUBLE) / CAST(income AS DOUBLE), 6) AS affordability
        FROM (
          SELECT p.*, l.max_share,
            coalesce(p.income_monthly, p.declared_monthly_income) AS income,
            greatest(coalesce(p.total_emi_monthly, 0), o.own_emi,
              coalesce(p.fixed_obligations_monthly, 0)) AS obligations,
            {_aa_data_sql(terms.aa_purpose)} AS aa_data
          FROM {profile} p
          JOIN {own_obligations} o USING (customer_id, currency)
          JOIN (VALUES {limits}) l(currency, max_share) USING (currency))
        WHERE income > 0
          AND bureau_score >= {terms.standing.min_bureau_score}
          AND coalesce(bureau_overdue, 0) = 0
          AND coalesce(enquiries_90d, 0) <= {terms.standing.max_enquiries_90d}
    """


def _aa_data_sql(purpose: str | None) -> str:
    if purpose is None:
        return "'no_purpose'"
    return f"""CASE WHEN NOT {covers_sql(purpose)} THEN 'not_covered'
              WHEN p.fixed_obligations_monthly IS NULL THEN 'no_statement' ELSE 'used' END"""
