"""Customer ranking: who is likely to pay within 7 and 30 days, and how much within 30.

Amounts enter only as ratios (to the instalment, the income, the principal), so that rupees and
dollars share one model. Targets are those of features.repayment_labels; the expected amount is
learned as a share of what falls due, `due_30d = overdue + one instalment`, and multiplied back.
`fit` learns one target: a probability (`paid_7d`, `paid_30d`), or an amount (`task="regression"`).
"""

from __future__ import annotations

from typing import Any, Literal, Unpack

import pandas as pd
import pyarrow as pa

from paymentor_assets.models.customer_features import (
    AGE_BAND,
    DEBTS,
    EMPLOYMENT,
    ENGAGEMENT,
    INTEREST,
)
from paymentor_assets.models.family_spec import FamilySpec, Target
from paymentor_assets.models.feature_spec import Feature, account, profile
from paymentor_assets.models.learning import supervised
from paymentor_assets.models.learning.options import Options, with_post_outcome
from paymentor_assets.models.learning.supervised import FittedModel
from resources.lakehouse import column

FAMILY = "customer_ranking"

#: Purpose code of "explicit consent for monitoring of the accounts" (Sahamati purpose codes): the
#: only one under which collections may look at account-aggregator data. The frame nulls that data
#: where no consent covers it (features/purposes.py).
AA_PURPOSE = "104"

_INCOME = "coalesce(p.income_monthly, p.declared_monthly_income)"

#: What falls due within the 30-day horizon, in the account's currency.
DUE_30D = "(coalesce(a.overdue_amount, 0) + coalesce(a.emi_amount, 0))"

FEATURES: tuple[Feature, ...] = (
    # the loan
    Feature("product", "category", "a.product", "the product"),
    Feature("currency", "category", "a.currency", "the market of the loan"),
    account("annual_rate", "the yearly interest rate"),
    account("tenor_months", "the tenor in months"),
    account("months_on_book", "months since the loan was opened"),
    Feature(
        "outstanding_share",
        "number",
        "a.outstanding_amount / nullif(a.principal_amount, 0)",
        "the share of the principal still outstanding",
    ),
    # where it stands
    account("emis_overdue", "instalments overdue"),
    account("days_past_due", "days past due"),
    account(
        "days_to_next_due",
        "days to the next due date",
        reviewed="the contract fixes due dates; where all pay on the day it tells a week alone",
    ),
    Feature(
        "overdue_emis",
        "number",
        "a.overdue_amount / nullif(a.emi_amount, 0)",
        "the overdue amount in instalments",
    ),
    account("max_dpd_30d", "the most days past due within 30 days"),
    account("max_dpd_90d", "the most days past due within 90 days"),
    account("max_dpd_180d", "the most days past due within 180 days"),
    account("days_delinquent_90d", "days spent delinquent within 90 days"),
    # how it was paid
    account("payments_30d", "payments within 30 days"),
    account("payments_90d", "payments within 90 days"),
    account("payments_180d", "payments within 180 days"),
    account("bounces_90d", "bounced payments within 90 days"),
    account(
        "days_since_last_payment",
        "days since the last payment",
        reviewed="payments known by the cut-off only; monthly payers are due again after a month",
    ),
    account("on_time_share_180d", "the share of instalments paid on time within 180 days"),
    Feature(
        "paid_emis_30d",
        "number",
        "a.paid_amount_30d / nullif(a.emi_amount, 0)",
        "instalments' worth paid within 30 days",
    ),
    Feature(
        "paid_emis_90d",
        "number",
        "a.paid_amount_90d / nullif(a.emi_amount, 0)",
        "instalments' worth paid within 90 days",
    ),
    Feature(
        "paid_emis_180d",
        "number",
        "a.paid_amount_180d / nullif(a.emi_amount, 0)",
        "instalments' worth paid within 180 days",
    ),
    # how contact went
    account("contacts_email_30d", "e-mails sent within 30 days"),
    account("contacts_sms_30d", "text messages sent within 30 days"),
    account("contacts_whatsapp_30d", "WhatsApp messages sent within 30 days"),
    account("contacts_voice_30d", "calls made within 30 days"),
    account("right_party_contacts_90d", "conversations with the borrower within 90 days"),
    account("days_since_right_party_contact", "days since the last conversation"),
    account("promises_180d", "promises to pay within 180 days"),
    account("promises_kept_180d", "promises kept within 180 days"),
    account("promises_broken_180d", "promises broken within 180 days"),
    *ENGAGEMENT,
    # the customer's other debts
    *DEBTS,
    # means
    EMPLOYMENT,
    Feature(
        "emi_to_income",
        "number",
        f"a.emi_amount / nullif({_INCOME}, 0)",
        "the instalment as a share of income",
    ),
    Feature(
        "obligations_to_income",
        "number",
        f"p.total_emi_monthly / nullif({_INCOME}, 0)",
        "all instalments as a share of income",
    ),
    profile("savings_rate", "the savings rate"),
    Feature(
        "inflow_to_emi",
        "number",
        "p.monthly_inflow_mean / nullif(a.emi_amount, 0)",
        "monthly money in, in instalments",
    ),
    Feature(
        "outflow_to_inflow",
        "number",
        "p.monthly_outflow_mean / nullif(p.monthly_inflow_mean, 0)",
        "money out as a share of money in",
    ),
    Feature(
        "min_balance_to_emi",
        "number",
        "p.min_balance_30d / nullif(a.emi_amount, 0)",
        "the lowest balance within 30 days, in instalments",
    ),
    Feature(
        "min_balance_90d_to_emi",
        "number",
        "p.min_balance_90d / nullif(a.emi_amount, 0)",
        "the lowest balance within 90 days, in instalments",
    ),
    Feature(
        "mean_balance_to_emi",
        "number",
        "p.mean_balance_180d / nullif(a.emi_amount, 0)",
        "the average bank balance, in instalments",
    ),
    Feature(
        "bank_balance_to_emi",
        "number",
        "p.bank_balance / nullif(a.emi_amount, 0)",
        "the newest bank balance, in instalments",
    ),
    profile("balance_volatility_180d", "how far the bank balance swings"),
    profile("bounce_count_90d", "bounce charges within 90 days"),
    profile("spend_share_rent", "the share of spending on rent"),
    profile("spend_share_groceries", "the share of spending on groceries"),
    profile("spend_share_cash", "the share of spending in cash"),
    profile("spend_share_emi", "the share of spending on instalments"),
    # interest
    *INTEREST,
)

#: Columns the family could read and does not, and why; printed on the model card.
EXCLUDED: dict[str, str] = {
    "account_id, customer_id": "identifiers: a tree would memorise people",
    "phone_token, email_token": "identifiers in another form",
    "birth_year": "age is a protected characteristic (ECOA); kept for fairness reports only",
    "language": "stands for ethnic or regional origin",
    "city, postal_code, state, time_zone, country": (
        "where a person lives stands for origin (redlining); the loan's currency names the market"
    ),
    "is_blacklisted, has_open_fraud_report, is_dnd_listed": (
        "decided by the compliance gate, never by a score"
    ),
    "bucket, sma_class": "coarser copies of days_past_due",
    "is_delinquent": "a coarser copy of days_past_due; says who is acted on, not who pays",
    "outstanding_amount, overdue_amount, emi_amount, principal_amount, paid_amount_*": (
        "amounts in a currency enter as ratios"
    ),
    "income_monthly, declared_monthly_income, total_sanctioned, total_balance": (
        "amounts in a currency enter as ratios"
    ),
    "debt_to_income": (
        "may rest on account-aggregator income; obligations_to_income is the same under consent"
    ),
    "salary_day, spend_share_utilities, spend_share_other": (
        "calendar or remainder values without a reason that could be told to a borrower"
    ),
    "is_income_imputed, next_due_date, last_product_viewed": "bookkeeping, or covered by others",
}


#: The target whose contributions explain a rank.
EXPLAINED_TARGET = "paid_30d"

SPEC = FamilySpec(
    family=FAMILY,
    purpose=(
        "Ranks open accounts by the probability of a payment within 7 and 30 days, and by the "
        "share of the amount due that comes back within 30 days. It orders work; it decides "
        "nothing: the compliance gate does."
    ),
    features=FEATURES,
    targets=(
        Target("paid_7d", "Paid within 7 days; null while open.", 7),
        Target(EXPLAINED_TARGET, "Paid within 30 days; null while open.", 30),
        Target(
            "recovered_share_30d",
            "Paid within 30 days as a share of what fell due; null while open or nothing due.",
            30,
            kind="amount",
            options={"task": "regression"},
        ),
    ),
    explained_target=EXPLAINED_TARGET,
    excluded=EXCLUDED,
    limits=(
        "Learned from accounts that were open on the as-of days; refused applicants are not seen.",
        "Past contacts followed past policies: this predicts payment, not the effect of a contact.",
        "Judged on later days of the same lenders; a new lender or market needs its own test.",
    ),
    aa_purpose=AA_PURPOSE,
    extras=(column("is_delinquent", pa.bool_(), "Whether anything was overdue on the day."),),
    judged_apart="delinquent",
    protected=AGE_BAND,
)

#: A payer who settles early pays many instalments at once; without a cap a handful of them would
#: be the whole loss.
MAX_RECOVERED_SHARE = 3.0

#: What an account's record holds only once its outcome is known.
POST_OUTCOME = frozenset(
    {
        "paid_7d",
        "paid_30d",
        "recovered_amount",
        "recovered_amount_30d",
        "recovered_share_30d",
        "recoveries",
        "collection_recovery_fee",
        "charge_off_date",
        "charged_off_amount",
        "settlement_amount",
        "last_pymnt_amnt",
        "last_pymnt_d",
        "total_pymnt",
        "total_rec_prncp",
        "total_rec_int",
        "out_prncp",
    }
)


def fit(
    X: pd.DataFrame,  # noqa: N803 - the field's name
    y: Any,
    treatment: Any = None,
    time: Any = None,
    sample_weight: Any = None,
    seed: int = 0,
    *,
    task: Literal["probability", "regression"] = "probability",
    **options: Unpack[Options],
) -> FittedModel:
    """Learn whether (0 or 1) or how much (`task="regression"`, any unit) an account pays.

    See `supervised.fit` for shapes and errors.
    """
    return supervised.fit(
        FAMILY,
        X,
        y,
        kind="amount" if task == "regression" else "probability",
        treatment=treatment,
        time=time,
        sample_weight=sample_weight,
        seed=seed,
        **with_post_outcome(options, POST_OUTCOME),
    )
