"""A lake of published features and an approved booster: what a day's scoring finds.

Made by SQL, past the feature build: one account a customer, every column that is read filled
by chance, a tenth of the optional ones missing. The model is trained by the platform's own settings
on some of the rows, with the number of trees given instead of stopped early: three targets, one
XGBoost booster each.
"""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from benchmarks.features.synthetic_lake import DAY, LENDER, RUN
from paymentor_assets.audit.publications import publish_heads
from paymentor_assets.features.tables import feature_tables
from paymentor_assets.models import approvals, artefact, feature_frame
from paymentor_assets.models.approvals import ApprovalEvent
from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.families import customer_ranking
from paymentor_assets.models.learning import boosters, columns
from paymentor_assets.models.learning.boosters import BoosterModel, Sample
from paymentor_assets.models.learning.columns import Floats, Schema, Values
from paymentor_assets.models.learning.designs import tree_matrix
from paymentor_assets.models.learning.scorer import Scorer
from paymentor_assets.models.learning.supervised import FittedModel
from paymentor_assets.models.learning.targets import Target
from paymentor_assets.rankings import channel_preference
from resources.duck import connect
from resources.lakehouse import Lakehouse, TableContract
from resources.registry import ModelRegistry

TREES = 300
TRAINING_ROWS = 20_000
#: Rows of one data file.
CHUNK_ROWS = 250_000
TABLES = ("features.account_features", "features.customer_profile", "features.channel_engagement")

#: Columns whose values matter, over `i`, the customer's number, and `h`, 0 to 9,999 by chance.
_VALUES = {
    "lender_id": f"'{LENDER.lender_id}'",
    "as_of_date": f"DATE '{DAY}'",
    "account_id": "'A' || lpad(CAST(i AS VARCHAR), 9, '0')",
    "customer_id": "'C' || lpad(CAST(i AS VARCHAR), 9, '0')",
    "account_status": "'open'",
    "is_delinquent": "false",
    "currency": "'INR'",
    "country": "'IN'",
    "channel": "'email'",
    "product": "['personal_loan', 'two_wheeler', 'auto_loan', 'credit_card'][1 + h % 4]",
    "employment_type": "['salaried', 'self_employed', 'student'][1 + h % 3]",
    "aa_purposes": "CASE WHEN h % 2 = 0 THEN '102;104' ELSE '103' END",
    "outstanding_amount": "10000 + h * 9",
    "emi_amount": "1000 + h % 900",
}
_BY_TYPE = {
    "DOUBLE": "h / 10000.0",
    "DATE": f"DATE '{DAY}' - CAST(h % 300 AS INTEGER)",
    "TIMESTAMP": f"TIMESTAMP '{DAY} 00:00:00' - h * INTERVAL 1 MINUTE",
    "BOOLEAN": "h % 2 = 0",
    "VARCHAR": "'v' || (h % 9)",
}
_READ = {
    *feature_frame.account_columns(),
    *feature_frame.profile_columns(),
    *channel_preference.engagement_columns(),
}


def make_features(lake: Lakehouse, accounts: int) -> None:
    """Publish the features of DAY for as many accounts."""
    heads: dict[str, int] = {}
    for name in TABLES:
        contract = feature_tables()[name]
        for start in range(0, accounts, CHUNK_ROWS):
            end = min(start + CHUNK_ROWS, accounts)
            rows = rows_of(contract, start, end)
            heads[name] = lake.append(contract, rows, {})
    publish_heads(
        lake, stage="features", lender_id=LENDER.lender_id, day=DAY, tables=heads, run=RUN
    )


def rows_of(contract: TableContract, start: int, end: int) -> pa.Table:
    """Rows of the customers `start` to `end`; columns that nothing here reads hold one value."""
    with connect() as con:
        con.register("empty", contract.schema.empty_table())
        types = {str(r[0]): str(r[1]) for r in con.execute("DESCRIBE empty").fetchall()}
        selected = ", ".join(
            f'CAST({_expression(contract.schema.field(name), kind, place)} AS {kind}) AS "{name}"'
            for place, (name, kind) in enumerate(types.items())
        )
        rows = con.execute(f"SELECT {selected} FROM range({start}, {end}) AS r(i)")
        return rows.to_arrow_table().cast(contract.schema)


def _expression(field: pa.Field, kind: str, place: int) -> str:
    chance = f"CAST(hash(i * 1000 + {place}) % 10000 AS BIGINT)" if field.name in _READ else "5000"
    by_type = _BY_TYPE.get(kind, "1000 + h * 3" if kind.startswith("DECIMAL") else "h % 12")
    value = _VALUES.get(field.name, by_type).replace("h ", f"{chance} ")
    if field.name in _VALUES or not field.nullable:
        return value
    return f"CASE WHEN {chance} >= 1000 THEN {value} END"


def register_model(lake: Lakehouse, registry: ModelRegistry) -> None:
    """Train, register and approve a customer ranking of TREES trees a target."""
    files = artefact.files_of(_artefact(training_frame()), "benchmark")
    registry.prepare()
    registered = registry.register(
        customer_ranking.FAMILY,
        files,
        artefact_sha256=artefact.sha256_of_files(files),
        trainer="bench",
        parameters={},
        metrics={},
        tags={},
        clock=RUN.clock,
    )
    decided = ApprovalEvent(
        family=customer_ranking.FAMILY,
        version=registered.version,
        artefact_sha256=registered.artefact_sha256,
        state="approved",
        actor="officer",
        reason="benchmark",
        trainer="bench",
        at_utc=datetime(2026, 6, 30, tzinfo=UTC).replace(tzinfo=None),
    )
    approvals.append(lake, [decided])


def training_frame() -> pa.Table:
    """The frame of the first TRAINING_ROWS accounts."""
    accounts, profiles = (rows_of(feature_tables()[name], 0, TRAINING_ROWS) for name in TABLES[:2])
    return feature_frame.build(accounts, profiles)


def _artefact(frame: pa.Table) -> ModelArtefact:
    spec = customer_ranking.SPEC
    read = frame.select([feature.name for feature in spec.features]).to_pandas()
    schema = columns.learn(spec.family, read)
    values = schema.read(read)
    chance = np.random.default_rng(7)
    score = np.nan_to_num(values["days_past_due"]) / 12 + chance.normal(size=len(read))
    targets = {
        "paid_7d": (Target("probability"), (score < 0.3).astype(np.float64)),
        "paid_30d": (Target("probability"), (score < 0.6).astype(np.float64)),
        "recovered_share_30d": (Target("amount", floor=0.0), np.clip(1 - score, 0, 3)),
    }
    models = {
        name: _booster(spec.family, schema, values, target, outcome)
        for name, (target, outcome) in targets.items()
    }
    return ModelArtefact(spec.family, models, spec.phrases, {})


def _booster(
    family: str, schema: Schema, values: Values, target: Target, outcome: Floats
) -> FittedModel:
    matrix = tree_matrix(schema, values)[0]
    booster, _ = boosters.train(
        "xgboost",
        Sample(matrix, outcome, np.ones(len(outcome))),
        is_class=target.kind == "probability",
        seed=7,
        rounds=TREES,
    )
    model = BoosterModel("xgboost", schema, boosters.save("xgboost", booster))
    return FittedModel(family, schema, (Scorer(schema, target, (model,), 1.0, 0.0),))
