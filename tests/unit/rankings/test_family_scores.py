"""Scores of the families beside customer ranking: from the frames of the extracts, and in range."""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from paymentor_assets.models.artefact import ModelArtefact
from paymentor_assets.models.day_reader import DayReader
from paymentor_assets.models.feature_frame import engagement_columns
from paymentor_assets.models.training_rows import CLICKS
from paymentor_assets.rankings import family_rows
from paymentor_assets.rankings.score_checks import IN_RANGE, UNIQUE_KEY, violations
from paymentor_assets.rankings.tables import (
    AFFINITY_INDEX,
    CHANNEL_PROPENSITY,
    CUSTOMER_SEGMENTS,
    DAY_PARTS,
    INCOME_ESTIMATES,
    OFFER_PROPENSITY,
)
from resources.errors import ContractError
from resources.lakehouse import TableContract
from tests.support import family_models, lender_events

CHANNELS = ("sms", "whatsapp")


def _reader(model: ModelArtefact) -> DayReader:
    return DayReader(model)


@cache
def _profiles() -> pa.Table:
    """Customers of the last day; every fifth has said nothing of an income."""
    rows = lender_events.published().features["features.customer_profile"]
    rows = rows.filter(pc.equal(rows.column("as_of_date"), lender_events.DAYS[-1]))
    silent = np.arange(rows.num_rows) % 5 == 0
    for name in ("income_monthly", "declared_monthly_income"):
        known = rows.column(name).combine_chunks()
        values = pc.if_else(pa.array(silent), pa.scalar(None, known.type), known)
        rows = rows.set_column(rows.schema.get_field_index(name), name, values)
    return rows


def test_every_customer_has_one_of_three_segments() -> None:
    rows = family_rows.segments(_reader(family_models.model("customer_segmentation")), _profiles())
    assert rows.num_rows == _profiles().num_rows
    pairs = set(zip(*(rows.column(n).to_pylist() for n in ("segment_id", "segment")), strict=True))
    assert pairs <= {(0, "high_risk"), (1, "low_risk"), (2, "high_value")} and len(pairs) > 1


def test_a_known_income_stays_as_it_is_and_only_the_others_are_estimated() -> None:
    model = family_models.model("income_imputation")
    rows = family_rows.incomes(_reader(model), _profiles())
    told = rows.filter(pc.invert(rows.column("is_imputed"))).to_pylist()
    estimated = rows.filter(rows.column("is_imputed")).to_pylist()
    profiles = {row["customer_id"]: row for row in _profiles().to_pylist()}
    assert len(told) + len(estimated) == len(profiles) and told and estimated
    for row in told:
        own = profiles[row["customer_id"]]
        # Documented income shows only under a consent for the family's purpose.
        documented = own["income_monthly"] if "104" in own["aa_purposes"] else None
        assert row["income"] == (documented or own["declared_monthly_income"])
        assert row["lower"] is None and row["upper"] is None
    assert all(0 < row["lower"] <= row["income"] <= row["upper"] for row in estimated)
    assert {row["customer_id"] for row in estimated} >= {
        name for name, row in profiles.items() if row["declared_monthly_income"] is None
        and "104" not in row["aa_purposes"]
    }  # fmt: skip
    alone = _profiles().filter(pc.equal(_profiles().column("customer_id"), "C000000"))
    assert family_rows.incomes(_reader(model), alone).to_pylist() == [
        row for row in rows.to_pylist() if row["customer_id"] == "C000000"
    ]


def test_nobody_to_estimate_is_fine() -> None:
    model = family_models.model("income_imputation")
    told = _profiles().filter(pc.is_valid(_profiles().column("declared_monthly_income")))
    assert not any(family_rows.incomes(_reader(model), told).column("is_imputed").to_pylist())


def test_offers_are_scored_for_every_product_and_channel() -> None:
    model = family_models.model("offer_propensity")
    rows = family_rows.propensities(_reader(model), _profiles(), CHANNELS)
    products = len(lender_events.PRODUCTS)
    assert rows.num_rows == _profiles().num_rows * products * len(CHANNELS)
    by_whatsapp = pc.equal(rows.column("channel"), "whatsapp")
    adds = pc.mean(rows.filter(by_whatsapp).column("uplift")).as_py()
    assert adds > pc.mean(rows.filter(pc.invert(by_whatsapp)).column("uplift")).as_py() + 0.2


def test_without_a_control_group_there_is_no_uplift() -> None:
    rows = family_rows.propensities(_reader(family_models.without_uplift()), _profiles(), CHANNELS)
    assert rows.column("uplift").null_count == rows.num_rows > 0
    assert rows.column("p_accept").null_count == 0


def test_every_channel_is_ranked_in_every_part_of_the_day() -> None:
    reader = _reader(family_models.model("channel_preference"))
    engagement = lender_events.published().features["features.channel_engagement"]
    rows = family_rows.engagements(reader, _profiles(), engagement, lender_events.ANSWERS)
    assert rows.num_rows == _profiles().num_rows * len(lender_events.ANSWERS) * len(DAY_PARTS)
    found: dict[tuple[str, str], list[tuple[int, float, str]]] = {}
    for row in rows.to_pylist():
        place = (row["customer_id"], row["hour_band"])
        found.setdefault(place, []).append((row["rank"], row["p_engage"], row["channel"]))
    assert {part for _, part in found} == set(DAY_PARTS)
    for mine in found.values():
        assert [rank for rank, _, _ in sorted(mine)] == [1, 2, 3, 4]
        assert sorted(mine) == sorted(mine, key=lambda x: (-x[1], x[2]))
    first = [min(mine)[2] for mine in found.values()]
    assert first.count("voice") > 0.9 * len(first)  # who answers most in lender_events.ANSWERS


def test_each_channel_is_judged_by_what_happened_on_it() -> None:
    reader = _reader(family_models.model("channel_preference"))
    engagement = lender_events.published().features["features.channel_engagement"]
    spec = family_models.spec("channel_preference")
    today = engagement.filter(pc.equal(engagement.column("as_of_date"), lender_events.DAYS[-1]))
    assert set(engagement_columns(spec)) <= set(today.column_names)
    whole = family_rows.engagements(reader, _profiles(), today, ["sms", "voice"])
    of_sms = today.filter(pc.equal(today.column("channel"), "sms"))
    part = family_rows.engagements(reader, _profiles(), of_sms, ["sms", "voice"])
    by_channel = {
        channel: [t.filter(pc.equal(t.column("channel"), channel)).column("p_engage").to_pylist()
                  for t in (whole, part)]
        for channel in ("sms", "voice")
    }  # fmt: skip
    assert by_channel["sms"][0] == by_channel["sms"][1]
    assert by_channel["voice"][0] != by_channel["voice"][1]


def test_parts_of_the_day_are_those_that_were_learned() -> None:
    rows = family_models.rows("channel_preference")
    assert set(rows.column("hour_band").to_pylist()) <= set(DAY_PARTS)


def test_products_not_looked_at_are_ranked_for_known_customers_only() -> None:
    clicks = lender_events.published().events[CLICKS.table]
    some = _profiles().slice(0, 50)
    rows = family_rows.affinities(_reader(family_models.model("user_affinity")), some, clicks)
    looked = {(row["customer_id"], row["product"]) for row in clicks.to_pylist() if row["product"]}
    found = [(row["customer_id"], row["product"]) for row in rows.to_pylist()]
    assert found and not looked & set(found)
    assert {customer for customer, _ in found} <= set(some.column("customer_id").to_pylist())
    ranks: dict[str, list[tuple[float, int]]] = {}
    for row in rows.to_pylist():
        ranks.setdefault(row["customer_id"], []).append((row["score"], row["rank"]))
    for mine in ranks.values():
        assert sorted(rank for _, rank in mine) == list(range(1, len(mine) + 1))
        assert [s for s, _ in sorted(mine, key=lambda x: x[1])] == sorted(
            (s for s, _ in mine), reverse=True
        )


def test_without_visits_there_is_no_affinity() -> None:
    clicks = lender_events.published().events[CLICKS.table].slice(0, 0)
    rows = family_rows.affinities(
        _reader(family_models.model("user_affinity")), _profiles(), clicks
    )
    assert rows.num_rows == 0


def test_a_profile_without_a_column_the_family_reads_is_refused() -> None:
    profiles = _profiles().drop(["utilisation"])
    with pytest.raises(ContractError, match=r"utilisation.*customer_segmentation"):
        family_rows.segments(_reader(family_models.model("customer_segmentation")), profiles)


_GOOD: dict[TableContract, dict[str, object]] = {
    CUSTOMER_SEGMENTS: {"segment_id": 1, "segment": "low_risk", "distance": 0.0},
    AFFINITY_INDEX: {"product": "auto_loan", "score": -3.5, "rank": 1},
    INCOME_ESTIMATES: {"income": 10, "lower": 8, "upper": 12, "is_imputed": True},
    OFFER_PROPENSITY: {"product": "p", "channel": "sms", "p_accept": 0.0, "uplift": None},
    CHANNEL_PROPENSITY: {"channel": "sms", "hour_band": "midday", "p_engage": 1.0, "rank": 1},
}


def _of(contract: TableContract, *rows: dict[str, object]) -> pa.Table:
    keys = {"lender_id": "meridian", "as_of_date": lender_events.DAYS[-1]}
    full = [
        dict.fromkeys(contract.column_names) | keys | {"customer_id": f"C{i}"} | row
        for i, row in enumerate(rows)
    ]
    return pa.Table.from_pylist(full, contract.schema)


@pytest.mark.parametrize(
    ("contract", "change"),
    [
        (CUSTOMER_SEGMENTS, {"segment": "rich"}),
        (CUSTOMER_SEGMENTS, {"segment_id": 3}),
        (CUSTOMER_SEGMENTS, {"distance": -0.1}),
        (CUSTOMER_SEGMENTS, {"distance": float("nan")}),
        (AFFINITY_INDEX, {"score": float("inf")}),
        (AFFINITY_INDEX, {"score": None}),
        (AFFINITY_INDEX, {"rank": 0}),
        (INCOME_ESTIMATES, {"income": None}),
        (INCOME_ESTIMATES, {"income": 0}),
        (INCOME_ESTIMATES, {"lower": 13}),
        (INCOME_ESTIMATES, {"upper": None}),
        (INCOME_ESTIMATES, {"is_imputed": False}),
        (OFFER_PROPENSITY, {"p_accept": 1.01}),
        (OFFER_PROPENSITY, {"p_accept": None}),
        (OFFER_PROPENSITY, {"uplift": -1.5}),
        (CHANNEL_PROPENSITY, {"p_engage": None}),
        (CHANNEL_PROPENSITY, {"p_engage": -0.1}),
        (CHANNEL_PROPENSITY, {"hour_band": "night"}),
        (CHANNEL_PROPENSITY, {"rank": 0}),
    ],
)
def test_a_value_that_cannot_be_is_found(
    contract: TableContract, change: dict[str, object]
) -> None:
    good = _GOOD[contract]
    assert violations(contract, _of(contract, good)) == {UNIQUE_KEY: 0, IN_RANGE: 0}
    assert violations(contract, _of(contract, good, good | change)) == {UNIQUE_KEY: 0, IN_RANGE: 1}


@pytest.mark.parametrize("contract", _GOOD)
def test_a_key_with_two_rows_is_found(contract: TableContract) -> None:
    good = _GOOD[contract] | {"customer_id": "C1"}
    assert violations(contract, _of(contract, good, good))[UNIQUE_KEY] == 1
