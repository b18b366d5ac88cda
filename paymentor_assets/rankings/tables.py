"""The tables this stage publishes."""

from __future__ import annotations

from collections.abc import Sequence

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


def _scores(
    name: str, description: str, keys: Sequence[pa.Field], values: Sequence[pa.Field]
) -> TableContract:
    """A table of a family's scores: the columns that all of them have, and its own."""
    return TableContract(
        name=name,
        description=description,
        key=("lender_id", "customer_id", *(field.name for field in keys), "as_of_date"),
        schema=pa.schema(
            [
                column("lender_id", pa.string(), "Lender."),
                column("customer_id", pa.string(), "Borrower."),
                *keys,
                column("as_of_date", pa.date32(), "Day whose knowledge the scores rest on."),
                *values,
                column("model_version", pa.string(), "Approved version in the registry."),
                column("model_artefact_sha256", pa.string(), "Hash of the artefact that scored."),
                column("features_publication_id", pa.string(), "Publication of the features read."),
            ]
        ),
        partition_by=("lender_id", "as_of_date"),
    )


CUSTOMER_SEGMENTS = _scores(
    "decisions.customer_segments",
    "The segment of every customer on a day; a description, which decides nothing.",
    [],
    [
        column("segment_id", pa.int32(), "Number of the segment; the same name has the same."),
        column("segment", pa.string(), "high_risk, low_risk or high_value."),
        column("distance", pa.float64(), "Distance to the segment's centroid, 0 or more."),
    ],
)

AFFINITY_INDEX = _scores(
    "decisions.affinity_index",
    "How near each product a customer has not yet looked at is to those looked at.",
    [column("product", pa.string(), "Product not yet looked at.")],
    [
        column("score", pa.float64(), "Larger is nearer; comparable within a customer only."),
        column("rank", pa.int32(), "1 is the customer's nearest product."),
    ],
)

INCOME_ESTIMATES = _scores(
    "decisions.income_estimates",
    "Each customer's monthly income: as known, and estimated only where none is known.",
    [],
    [
        column("currency", pa.string(), "Currency of the amounts (ISO 4217)."),
        column("income", MONEY, "Monthly income: as declared or documented, else the estimate."),
        column("lower", MONEY, "Lower end of the estimate's 90% interval; null when known."),
        column("upper", MONEY, "Upper end of it; null when known."),
        column("is_imputed", pa.bool_(), "Whether the income is an estimate."),
    ],
)

OFFER_PROPENSITY = _scores(
    "decisions.offer_propensity",
    "How likely each customer accepts an offer, by product and channel.",
    [
        column("product", pa.string(), "Product that past campaigns offered."),
        column("channel", pa.string(), "Channel of the lender."),
    ],
    [
        column("p_accept", pa.float64(), "Probability of accepting the offer when it is made."),
        column(
            "uplift",
            pa.float64(),
            "What making the offer adds to it; null when learned without a control group.",
        ),
    ],
)

CHANNEL_PROPENSITY = _scores(
    "decisions.channel_propensity",
    "How likely each customer engages, by channel and part of the day, as the model predicts it.",
    [
        column("channel", pa.string(), "Channel of the lender."),
        column("hour_band", pa.string(), "morning, midday, afternoon or evening, local time."),
    ],
    [
        column("p_engage", pa.float64(), "Probability that a contact is engaged with."),
        column(
            "rank", pa.int32(), "1 is the customer's likeliest channel in that part of the day."
        ),
    ],
)
