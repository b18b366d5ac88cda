"""The tables this stage publishes."""

from __future__ import annotations

import pyarrow as pa

from resources.lakehouse import MONEY, TableContract, column

DAY_PARTS = ("morning", "midday", "afternoon", "evening")

CUSTOMER_RANKINGS = TableContract(
    name="decisions.customer_rankings",
    description="Every open account of a day, ranked by the probability of a payment.",
    key=("lender_id", "account_id", "as_of_date"),
    schema=pa.schema(
        [
            column("lender_id", pa.string(), "Lender."),
            column("account_id", pa.string(), "Account."),
            column("as_of_date", pa.date32(), "Day whose knowledge the scores rest on."),
            column("customer_id", pa.string(), "Borrower."),
            column("currency", pa.string(), "Currency of expected_recovery (ISO 4217)."),
            column("p_pay_7d", pa.float64(), "Calibrated probability of a payment within 7 days."),
            column("p_pay_30d", pa.float64(), "Calibrated probability of one within 30 days."),
            column(
                "expected_recovery",
                MONEY,
                "Expected payments within 30 days: predicted share of what falls due.",
            ),
            column("rank", pa.int32(), "1 is the account most likely to pay; unique a day."),
            column("is_delinquent", pa.bool_(), "Whether anything is overdue: who is acted on."),
            column("model_name", pa.string(), "Model family."),
            column("model_version", pa.string(), "Approved version in the registry."),
            column("model_artefact_sha256", pa.string(), "Hash of the artefact that scored."),
            column(
                "reason_codes",
                pa.string(),
                "JSON list of up to 4 contributions to p_pay_30d; null when not delinquent.",
            ),
            column("features_publication_id", pa.string(), "Publication of the features read."),
        ]
    ),
    partition_by=("lender_id", "as_of_date"),
)

CHANNEL_PREFERENCES = TableContract(
    name="decisions.channel_preferences",
    description="How likely each customer engages, by channel and part of the day.",
    key=("lender_id", "customer_id", "channel", "as_of_date"),
    schema=pa.schema(
        [
            column("lender_id", pa.string(), "Lender."),
            column("customer_id", pa.string(), "Borrower with an open account."),
            column("channel", pa.string(), "email, sms, whatsapp or voice."),
            column("as_of_date", pa.date32(), "Day whose knowledge the estimate rests on."),
            column("p_engage", pa.float64(), "Probability that an attempt engages."),
            column("rank", pa.int32(), "1 is the customer's most likely channel."),
            *(
                column(f"p_{part}", pa.float64(), f"The same for an attempt in the {part}.")
                for part in DAY_PARTS
            ),
            column("model_version", pa.string(), "Version of the estimator."),
            column("features_publication_id", pa.string(), "Publication of the features read."),
        ]
    ),
    partition_by=("lender_id", "as_of_date"),
)
