"""Features of a customer, named once for the families that read them.

Each reads `p` (features.customer_profile) only. What a family adds of its own stands in the family.
"""

from __future__ import annotations

from paymentor_assets.models.feature_spec import Feature, profile

#: By what fairness is judged: bands of age. From 62 on a borrower is elderly (ECOA, 12 CFR
#: 1002.2(o)). The day's year less the year of birth: the birthday itself is known of nobody.
AGE_BAND = (
    "CASE WHEN year(p.as_of_date) - p.birth_year < 30 THEN 'under 30' "
    "WHEN year(p.as_of_date) - p.birth_year < 45 THEN '30 to 44' "
    "WHEN year(p.as_of_date) - p.birth_year < 62 THEN '45 to 61' "
    "WHEN p.birth_year IS NOT NULL THEN '62 and over' END"
)

ENGAGEMENT: tuple[Feature, ...] = (
    profile("engagement_opens_30d", "messages opened within 30 days"),
    profile("engagement_clicks_30d", "messages clicked within 30 days"),
    profile("engagement_replies_30d", "messages answered within 30 days"),
    Feature(
        "days_since_engaged",
        "number",
        "date_diff('day', CAST(p.last_engaged_at_utc AS DATE), p.as_of_date)",
        "days since a message was last opened or answered",
    ),
)

DEBTS: tuple[Feature, ...] = (
    profile("bureau_score", "the bureau score"),
    Feature(
        "bureau_report_age_days",
        "number",
        "date_diff('day', p.bureau_report_date, p.as_of_date)",
        "the age of the bureau report in days",
    ),
    profile("open_tradelines", "open tradelines"),
    profile("utilisation", "the utilisation of credit limits"),
    profile("enquiries_30d", "credit enquiries within 30 days"),
    profile("enquiries_90d", "credit enquiries within 90 days"),
    profile("enquiries_180d", "credit enquiries within 180 days"),
    profile("worst_status_6m", "the worst tradeline status within 6 months"),
    profile("worst_status_12m", "the worst tradeline status within 12 months"),
    profile("worst_status_24m", "the worst tradeline status within 24 months"),
    Feature(
        "bureau_overdue_share",
        "number",
        "p.bureau_overdue / nullif(p.total_balance, 0)",
        "the overdue share of all balances",
    ),
    profile("open_accounts", "open accounts with the lender"),
    profile("max_days_past_due", "the most days past due over all accounts"),
)

EMPLOYMENT = Feature("employment_type", "category", "p.employment_type", "the kind of employment")

INTEREST: tuple[Feature, ...] = (
    profile("clickstream_events_30d", "visits to the lender's pages within 30 days"),
    profile("product_views_30d", "product pages viewed within 30 days"),
    profile("campaign_offers_180d", "offers received within 180 days"),
    profile("campaign_accepts_180d", "offers accepted within 180 days"),
)
