"""Scoring: bit-stable row by row, ranks without ties, money that stays in bounds."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from threadpoolctl import threadpool_limits

from paymentor_assets.models import artefact
from paymentor_assets.models.registry import ApprovedModel
from paymentor_assets.rankings import scoring
from paymentor_assets.rankings.tables import CUSTOMER_RANKINGS
from resources.errors import ContractError
from tests.support import trained_model


@pytest.fixture(scope="module")
def ranked() -> pa.Table:
    return _ranked(trained_model.last_day_frame())


def _ranked(*frames: pa.Table) -> pa.Table:
    return scoring.rank_accounts(trained_model.approved(), frames, "features-1")


@pytest.mark.parametrize("batch_rows", [1, 7, 64, 65])
def test_scores_do_not_depend_on_the_batch(batch_rows: int, ranked: pa.Table) -> None:
    frame = trained_model.last_day_frame()
    parts = [frame.slice(at, batch_rows) for at in range(0, frame.num_rows, batch_rows)]
    # Tables are equal to the last bit of every number, reasons and ranks included.
    assert _ranked(*parts).equals(ranked)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_scores_do_not_depend_on_the_threads(threads: int, ranked: pa.Table) -> None:
    reloaded = artefact.from_files(artefact.files_of(trained_model.model(), "card"))
    model = ApprovedModel(reloaded, trained_model.approved().approval)
    with threadpool_limits(threads):
        found = scoring.rank_accounts(model, [trained_model.last_day_frame()], "features-1")
    assert found.equals(ranked)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (None, "no column 'days_past_due'"),
        (pa.array(["30 days"]), "'days_past_due' holds"),
        (pa.array([None], pa.float64()), "'days_past_due' is empty in all"),
        (pa.array([float("inf")]), "'days_past_due' holds .* infinite"),
    ],
    ids=["missing", "another type", "all null", "infinite"],
)
def test_a_frame_the_model_cannot_read_names_family_version_and_column(
    values: pa.Array | None, said: str
) -> None:
    frame = trained_model.last_day_frame()
    spoiled = frame.drop(["days_past_due"])
    if values is not None:
        column = values.take(pa.array([0] * frame.num_rows))
        spoiled = spoiled.append_column("days_past_due", column)
    with pytest.raises(ContractError, match=rf"^customer_ranking version 3 .*{said}"):
        _ranked(spoiled)


def test_a_part_may_lack_what_the_day_has_and_the_day_may_not() -> None:
    frame = trained_model.last_day_frame()
    position = frame.schema.get_field_index("days_past_due")
    none = pa.nulls(frame.num_rows, pa.float64())
    empty = frame.set_column(position, "days_past_due", none)
    half = frame.num_rows // 2
    lacking, having = empty.slice(0, half), frame.slice(half)
    assert _ranked(lacking, having).equals(_ranked(pa.concat_tables([lacking, having])))
    with pytest.raises(ContractError, match=rf"'days_past_due' is empty in all {frame.num_rows} "):
        _ranked(lacking, empty.slice(half))


def test_a_score_does_not_depend_on_the_other_accounts(ranked: pa.Table) -> None:
    some = trained_model.last_day_frame().slice(10, 5)
    alone = _ranked(some)
    for name in ("p_pay_7d", "p_pay_30d", "expected_recovery", "reason_codes"):
        assert alone.column(name).to_pylist() == ranked.column(name).slice(10, 5).to_pylist()


def test_ranks_are_one_to_n_by_the_probability_of_payment(ranked: pa.Table) -> None:
    assert sorted(ranked.column("rank").to_pylist()) == list(range(1, ranked.num_rows + 1))
    by_rank = ranked.sort_by("rank").column("p_pay_30d").to_pylist()
    assert by_rank == sorted(by_rank, reverse=True)


def test_equal_scores_are_ranked_by_account_id() -> None:
    scores = {name: np.full(3, 0.5) for name in ("paid_7d", "paid_30d", "recovered_share_30d")}
    ids = pa.chunked_array([["C", "A", "B"]])
    assert scoring.ranks(scores, ids).tolist() == [3, 1, 2]


def test_expected_recovery_is_a_share_of_what_is_due_and_never_above_what_is_owed() -> None:
    money = pa.decimal128(18, 2)
    frame = pa.table(
        {
            "due_30d": pa.array([Decimal("1000.00"), Decimal("0.00"), Decimal("500.00")], money),
            "outstanding_amount": pa.array([Decimal("9000.00"), None, Decimal("100.00")], money),
        }
    )
    found = scoring.expected_recovery(frame, np.array([0.333333, 2.0, 0.5]))
    assert found.to_pylist() == [Decimal("333.33"), Decimal("0.00"), Decimal("100.00")]


def test_every_row_says_what_scored_it(ranked: pa.Table) -> None:
    assert ranked.schema.equals(CUSTOMER_RANKINGS.schema)
    assert set(ranked.column("model_version").to_pylist()) == {"3"}
    assert set(ranked.column("model_artefact_sha256").to_pylist()) == {"a" * 64}
    assert set(ranked.column("features_publication_id").to_pylist()) == {"features-1"}


def test_a_day_without_accounts_has_no_rankings() -> None:
    found = _ranked(trained_model.last_day_frame().slice(0, 0))
    assert found.num_rows == 0
    assert found.schema.equals(CUSTOMER_RANKINGS.schema)


def test_only_delinquent_accounts_have_reasons(ranked: pa.Table) -> None:
    has_reasons = pc.is_valid(ranked.column("reason_codes"))
    assert has_reasons.to_pylist() == ranked.column("is_delinquent").to_pylist()
