"""A day's scores from Iceberg to Iceberg, against what nobody can do without.

The bare side reads the same columns of the same snapshots, runs XGBoost's `inplace_predict` of the
same three boosters over a float32 matrix that lies ready, and appends the finished rows. All else
is the platform's: the hash and approval of the model, the join, the features, the checks of every
column, encoding, calibration, ranks, the digest of the rows, and the publication. Nobody is
delinquent there, for a reason code costs more than a score: those are measured apart. So are the
channel preferences, which the same stage publishes and no booster makes.

    python -m benchmarks.scoring.daily_scores [--accounts 1000000 2000000] [--rounds 1]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import xgboost

from benchmarks.features.synthetic_lake import DAY, LENDER, RUN
from benchmarks.measure import HEADER, Measurement, measured, report, row
from benchmarks.scoring.scoring_lake import TREES, make_features, register_model, training_frame
from paymentor_assets.audit.publications import publish_days, read_table, require
from paymentor_assets.models import feature_frame
from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.families import customer_ranking
from paymentor_assets.models.learning.designs import tree_matrix
from paymentor_assets.models.registry import load_approved
from paymentor_assets.models.training_extract import FEATURES_STAGE, feature_contract
from paymentor_assets.rankings import daily
from paymentor_assets.rankings.reason_codes import reason_codes
from paymentor_assets.rankings.tables import CHANNEL_PREFERENCES, CUSTOMER_RANKINGS
from paymentor_assets.settings import Settings
from resources.lakehouse import Lakehouse, TableContract
from resources.registry import ModelRegistry

MODULE = "benchmarks.scoring.daily_scores"
#: What a day's scores may cost, as a multiple of the bare steps, and the peak memory.
GOAL, PEAK_GOAL_MIB = 2.0, 2048
EXPLAINED = 5_000
COLUMNS = {
    "features.account_features": feature_frame.account_columns(),
    "features.customer_profile": feature_frame.profile_columns(),
}


def lake_of(home: Path) -> Lakehouse:
    """The lakehouse of a benchmark's home."""
    settings = Settings.load({"PAYMENTOR_ENV": "test", "PAYMENTOR_HOME": str(home)})
    settings.lakehouse_dir.mkdir(parents=True, exist_ok=True)
    return Lakehouse(settings.catalog_properties)


def registry_of(home: Path) -> ModelRegistry:
    """The registry beside it."""
    return ModelRegistry(home / "registry")


def make(home: Path, accounts: int) -> None:
    """Features, model, approval."""
    make_features(lake_of(home), accounts)
    report(lambda: register_model(lake_of(home), registry_of(home)))


def platform(home: Path, accounts: int) -> None:
    """The platform's own: read, score, publish."""
    lake, registry = lake_of(home), registry_of(home)

    def score() -> None:
        model = load_approved(lake, registry, customer_ranking.FAMILY)
        features = require(lake, FEATURES_STAGE, LENDER.lender_id, DAY)
        publish(lake, {CUSTOMER_RANKINGS: daily.rankings_of(lake, model, features, DAY)})

    # What an earlier part published is withdrawn, for a day that stands is not written again.
    withdraw(lake)
    report(score)
    found = lake.scan(CUSTOMER_RANKINGS.name, columns=("p_pay_30d",)).column(0)
    assert len(found) == accounts and len(found.unique()) > 100


def with_preferences(home: Path, accounts: int) -> None:
    """The whole stage: the same, and each customer's channels by the estimator."""
    lake, registry = lake_of(home), registry_of(home)
    withdraw(lake)
    report(lambda: daily.rank_day(lake, registry, LENDER, DAY, RUN))


def withdraw(lake: Lakehouse) -> None:
    """Publish a day without rows."""
    tables = (CUSTOMER_RANKINGS, CHANNEL_PREFERENCES)
    publish(lake, {table: table.schema.empty_table() for table in tables})


def publish(lake: Lakehouse, tables: Mapping[TableContract, pa.Table]) -> None:
    """Publish the day."""
    publish_days(
        lake, stage=daily.STAGE, lender_id=LENDER.lender_id, days=[DAY], tables=tables, inputs=[],
        run=RUN,
    )  # fmt: skip


def read(home: Path, accounts: int) -> None:
    """The same columns of the same snapshots, as Arrow."""
    lake = lake_of(home)
    features = require(lake, FEATURES_STAGE, LENDER.lender_id, DAY)
    report(
        lambda: [
            read_table(lake, features, feature_contract(lake, name), DAY, columns)
            for name, columns in COLUMNS.items()
        ]
    )


def predict(home: Path, accounts: int) -> None:
    """`inplace_predict` of every booster over a matrix as large as the day's."""
    models = model_of(home).targets
    boosters = [
        xgboost.Booster(model_file=bytearray(files["xgboost.ubj"]))
        for files in (fitted.files() for fitted in models.values())
    ]
    schema = model_of(home).learned("paid_30d").schema
    some, _ = tree_matrix(schema, schema.read(features_of_some()))
    matrix = np.resize(some, (accounts, some.shape[1]))
    report(lambda: [booster.inplace_predict(matrix) for booster in boosters])


def write(home: Path, accounts: int) -> None:
    """The finished rows, appended to an empty table."""
    rows = lake_of(home).scan(CUSTOMER_RANKINGS.name)
    other = lake_of(home / "written")
    other.ensure(CUSTOMER_RANKINGS)
    report(lambda: other.append(CUSTOMER_RANKINGS, rows, {}))
    shutil.rmtree(home / "written")


def reasons(home: Path, accounts: int) -> None:
    """Reason codes of EXPLAINED accounts."""
    model, some = model_of(home), features_of_some().head(EXPLAINED)
    report(lambda: reason_codes(model, some))


def model_of(home: Path) -> ModelArtefact:
    """The approved model."""
    return load_approved(lake_of(home), registry_of(home), customer_ranking.FAMILY).artefact


def features_of_some() -> pd.DataFrame:
    """What the model reads of the accounts it was trained on."""
    read: pd.DataFrame = training_frame().select(list(customer_ranking.SPEC.phrases)).to_pandas()
    return read


PARTS: dict[str, Callable[[Path, int], None]] = {
    "make": make, "platform": platform, "read": read, "predict": predict, "write": write,
    "with_preferences": with_preferences, "reasons": reasons,
}  # fmt: skip


def day_of(accounts: int, rounds: int) -> dict[str, Measurement]:
    """The parts of a day of as many accounts, each at its best of `rounds` by CPU."""
    home = Path(tempfile.mkdtemp(prefix="paymentor-bench-"))
    at = ("--home", str(home), "--accounts", str(accounts))
    try:
        measured(MODULE, "make", *at)
        found = [
            {part: measured(MODULE, part, *at) for part in PARTS if part != "make"}
            for _ in range(rounds)
        ]
    finally:
        shutil.rmtree(home)
    return {
        part: min((each[part] for each in found), key=lambda m: m.cpu_seconds) for part in found[0]
    }


def said(accounts: int, day: dict[str, Measurement]) -> str:
    """The table of one day and its ratio."""
    bare = sum(day[part].cpu_seconds for part in ("read", "predict", "write"))
    through = day["platform"]
    explained = day["reasons"].cpu_seconds / EXPLAINED
    return (
        f"{accounts:,} accounts, {len(customer_ranking.FEATURES)} features, 3 targets of {TREES} "
        f"trees.\n\n{HEADER}\n{row('the platform', through)}\n"
        f"{row('Iceberg read, bare', day['read'])}\n"
        f"{row('`inplace_predict`, bare', day['predict'])}\n"
        f"{row('Iceberg append, bare', day['write'])}\n"
        f"{row('the platform, channel preferences too', day['with_preferences'])}\n"
        f"{row(f'reason codes of {EXPLAINED:,} accounts', day['reasons'])}\n\n"
        f"The platform costs **{through.cpu_seconds / bare:.2f}x** the CPU of the three bare steps "
        f"(goal {GOAL}x), {through.cpu_seconds / accounts * 1e6:.0f} µs an account, at a peak of "
        f"{through.peak_mib} MiB (goal {PEAK_GOAL_MIB}). A reason code costs "
        f"{explained * 1e6:.0f} µs, {1 / explained:,.0f} a second and core.\n"
    )


def main() -> int:
    """Measure and print a page's section, or do one part for a parent process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--accounts", type=int, nargs="+", default=[1_000_000, 2_000_000])
    parser.add_argument("--rounds", type=int, default=1, help="the best of so many, by CPU")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        PARTS[given.part](given.home, given.accounts[0])
        return 0
    each = []
    for accounts in given.accounts:
        day = day_of(accounts, given.rounds)
        # Said at once, so that what was measured stands when a larger day is given up.
        sys.stdout.write(said(accounts, day) + "\n")
        sys.stdout.flush()
        each.append(f"{day['platform'].cpu_seconds / accounts * 1e6:.0f} µs for {accounts:,}")
    sys.stdout.write(f"CPU an account: {', '.join(each)}. The goal is flat.\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
