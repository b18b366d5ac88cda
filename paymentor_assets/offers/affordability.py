"""What a customer can still carry each month: fixed obligations to declared income.

Marketing must not read account-aggregator data (no fair-use template covers cross-selling:
domain reference 1a), so income is the declared one and obligations are what the bureau and our own
book show. `READ_FROM_PROFILE` is all that this stage reads of a person; a test holds it to that.
"""

from __future__ import annotations

from paymentor_assets.offers.policy import OfferPolicy
from resources.duck import quote

#: Columns of features.customer_profile that offers read: portfolio, declaration and bureau only.
READ_FROM_PROFILE = (
    "customer_id",
    "currency",
    "declared_monthly_income",
    "bureau_score",
    "bureau_overdue",
    "total_emi_monthly",
    "enquiries_90d",
    "worst_status_12m",
)


def affordability_sql(policy: OfferPolicy, profile: str, own_obligations: str) -> str:
    """SELECT of customer_id, currency, bureau_score, obligations, room_monthly, affordability.

    `profile` is a relation with READ_FROM_PROFILE, `own_obligations` one of (customer_id, currency,
    own_emi). Obligations are the larger of the bureau's sum and our own book (each may lag the
    other). `room_monthly` is the instalment that still fits; `affordability` the share of income
    that obligations take already. A customer without declared income, score or a limit for the
    currency has no row: what is not known is not lent on.
    """
    limits = ", ".join(
        f"({quote(currency)}, {share!r})"
        for currency, share in sorted(policy.max_obligations_to_income.items())
    )
    return f"""
        SELECT p.customer_id, p.currency, p.bureau_score, o.own_emi,
          greatest(coalesce(p.total_emi_monthly, 0), o.own_emi) AS obligations,
          CAST(p.declared_monthly_income AS DOUBLE) * l.max_share
            - CAST(greatest(coalesce(p.total_emi_monthly, 0), o.own_emi) AS DOUBLE) AS room_monthly,
          round(CAST(greatest(coalesce(p.total_emi_monthly, 0), o.own_emi) AS DOUBLE)
            / CAST(p.declared_monthly_income AS DOUBLE), 6) AS affordability,
          p.declared_monthly_income
        FROM {profile} p
        JOIN {own_obligations} o USING (customer_id, currency)
        JOIN (VALUES {limits}) l(currency, max_share) USING (currency)
        WHERE p.declared_monthly_income > 0
          AND p.bureau_score >= {policy.standing.min_bureau_score}
          AND coalesce(p.bureau_overdue, 0) = 0
          AND coalesce(p.enquiries_90d, 0) <= {policy.standing.max_enquiries_90d}
    """
