"""`models.monitoring`: what the monitors measured of a model on a day, and whether it is too much.

One row a measure. Aggregates only, so the table may be handed over to model development.
"""

from __future__ import annotations

import pyarrow as pa

from resources.lakehouse import TableContract, column

STAGE = "monitoring"

FEATURE_PSI = "feature_psi"
SCORE_PSI = "score_psi"
MISSING_RATE = "missing_rate"
CALIBRATION = "calibration"
LIFT = "lift"

#: Monitor to what must hold of it.
MONITORS = {
    FEATURE_PSI: "Every feature is spread as in the training reference: PSI at most 0.25, or what "
    "chance and the calendar show between its days.",
    SCORE_PSI: "Scores are spread as on the training reference: PSI at most 0.25, or what chance "
    "and the calendar show between its days.",
    MISSING_RATE: "No feature is missing in 10 points more of the rows than in the reference.",
    CALIBRATION: "Over a week of known outcomes, predicted and realised rate differ by at most "
    "5 points beyond chance.",
    LIFT: "Over a week of known outcomes, the tenth called most likely does no worse than all, but "
    "for chance.",
}
#: These need outcomes, which are known weeks later; the others need the training reference.
OF_OUTCOMES = (CALIBRATION, LIFT)

MONITORING = TableContract(
    name="models.monitoring",
    description="What the monitors measured of the models that scored a day.",
    key=("lender_id", "as_of_date", "family", "monitor", "subject"),
    schema=pa.schema(
        [
            column("lender_id", pa.string(), "Lender."),
            column("as_of_date", pa.date32(), "Day that is monitored."),
            column("family", pa.string(), "Model family."),
            column("model_version", pa.int32(), "Approved version that scored the rows."),
            column("monitor", pa.string(), f"One of {', '.join(MONITORS)}."),
            column("subject", pa.string(), "Feature or score the measure is about."),
            column("reference", pa.float64(), "What it was, or was said to be; null for a PSI."),
            column("value", pa.float64(), "What was measured; null when it could not be."),
            column("threshold", pa.float64(), "Beyond this the measure is an alarm."),
            column("row_count", pa.int64(), "Rows that the value rests on."),
            column("first_date", pa.date32(), "First as-of date of these rows."),
            column("last_date", pa.date32(), "Last as-of date of these rows."),
            column("is_alarm", pa.bool_(), "Whether the threshold is passed."),
        ]
    ),
    partition_by=("lender_id", "as_of_date"),
)
