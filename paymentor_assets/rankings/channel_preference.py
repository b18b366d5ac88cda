"""Channel preference: how likely a customer engages, by channel and part of the day.

Few customers were tried often enough on every channel, so each rate is pulled towards the rate of
its group as far as its own evidence is thin (empirical Bayes):

    lender  ->  channel  ->  country and channel  ->  customer and channel  ->  part of the day

The pull between customers is estimated from the data: a beta-binomial by moments (Kleinman 1973).
Attempts whose channel was drawn at random count in full. The others were made because somebody
expected them to work, and count a quarter: they tell less about what the channel would do for
everybody. Only contact counts are read, nothing of accounts or account aggregators.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from paymentor_assets.models.learning.columns import Floats
from paymentor_assets.rankings.tables import CHANNEL_PREFERENCES, DAY_PARTS
from resources.duck import connect

ESTIMATOR = "empirical_bayes_1"

TARGETED_WEIGHT = 0.25
#: Attempts that the parent's rate is worth when a group of customers is estimated.
GROUP_STRENGTH = 50.0
#: Bounds of what the parent's rate is worth for one customer: a few attempts must not decide
#: alone, and years of them must not be ignored.
MIN_STRENGTH, MAX_STRENGTH = 4.0, 200.0
#: What a part of the day must show before it departs from the customer's own rate.
DAY_PART_STRENGTH = 20.0

Groups = npt.NDArray[np.int64]


def engagement_columns() -> list[str]:
    """Columns of features.channel_engagement that are read."""
    return [
        "lender_id", "customer_id", "channel", "as_of_date",
        "attempts_180d", "engaged_180d", "randomised_attempts_180d", "randomised_engaged_180d",
        *(f"{part}_{what}_180d" for part in DAY_PARTS for what in ("attempts", "engaged")),
    ]  # fmt: skip


def preferences(
    customers: pa.Table,
    engagement: pa.Table,
    *,
    channels: Sequence[str],
    features_publication_id: str,
) -> pa.Table:
    """One row per customer and channel; rows of decisions.channel_preferences.

    `customers`: lender_id, customer_id, as_of_date, country of one lender and day; `engagement`:
    the columns of `engagement_columns()`. A customer never tried gets the group's rate; a channel
    nobody was tried on gets the lender's.
    """
    counts = _counts(customers, engagement, channels)
    number = {name: _floats(counts, name) for name in counts.column_names if name.endswith("180d")}
    random_n, random_e = number["randomised_attempts_180d"], number["randomised_engaged_180d"]
    n = random_n + TARGETED_WEIGHT * (number["attempts_180d"] - random_n)
    e = random_e + TARGETED_WEIGHT * (number["engaged_180d"] - random_e)

    channel = _codes(counts, "channel")
    group = _codes(counts, "country_channel")
    everybody = np.zeros(len(n), dtype=np.int64)
    lender_rate = _pooled(n, e, everybody, np.full(len(n), 0.5), 1.0)
    channel_rate = _pooled(n, e, channel, lender_rate, GROUP_STRENGTH)
    group_rate = _pooled(n, e, group, channel_rate, GROUP_STRENGTH)
    strength = _strengths(n, e, group)
    p_engage = (e + strength * group_rate) / (n + strength)
    columns: dict[str, pa.Array | pa.ChunkedArray] = {
        name: counts.column(name) for name in ("lender_id", "customer_id", "channel", "as_of_date")
    }
    columns["p_engage"] = pa.array(p_engage.round(6))
    columns["rank"] = pa.array(_ranks(counts, p_engage.round(6)), pa.int32())
    for part in DAY_PARTS:
        columns[f"p_{part}"] = pa.array(
            _day_part(
                number[f"{part}_attempts_180d"], number[f"{part}_engaged_180d"],
                number["attempts_180d"], number["engaged_180d"], group, p_engage,
            ).round(6)
        )  # fmt: skip
    columns["model_version"] = pa.repeat(ESTIMATOR, counts.num_rows)
    columns["features_publication_id"] = pa.repeat(features_publication_id, counts.num_rows)
    table = pa.table(columns).select(CHANNEL_PREFERENCES.column_names)
    return table.cast(CHANNEL_PREFERENCES.schema)


def _counts(customers: pa.Table, engagement: pa.Table, channels: Sequence[str]) -> pa.Table:
    """Every customer with every channel, zero where never tried, in a fixed order."""
    summed = ", ".join(
        f"coalesce(e.{name}, 0) AS {name}" for name in engagement_columns() if name.endswith("180d")
    )
    with connect() as con:
        con.register("customers", customers)
        con.register("engagement", engagement)
        con.register("channels", pa.table({"channel": pa.array(sorted(channels), pa.string())}))
        return con.execute(
            f"""
            SELECT c.lender_id, c.customer_id, k.channel, c.as_of_date,
                   coalesce(c.country, '') || '/' || k.channel AS country_channel, {summed}
            FROM customers AS c
            CROSS JOIN channels AS k
            LEFT JOIN engagement AS e
              ON e.lender_id = c.lender_id AND e.customer_id = c.customer_id
             AND e.channel = k.channel AND e.as_of_date = c.as_of_date
            ORDER BY c.customer_id, k.channel
            """
        ).to_arrow_table()


def _pooled(n: Floats, e: Floats, group: Groups, parent: Floats, strength: float) -> Floats:
    """Each group's rate, pulled to its parent's, for every row: shape (rows,)."""
    size = int(group.max(initial=-1)) + 1
    attempts = np.bincount(group, n, size)
    engaged = np.bincount(group, e, size)
    first = np.zeros(size)
    first[group] = parent
    rate = (engaged + strength * first) / (attempts + strength)
    return np.asarray(rate[group], dtype=np.float64)


def _strengths(n: Floats, e: Floats, group: Groups) -> Floats:
    """How many attempts the group's rate is worth for one of its customers: shape (rows,).

    With p the group's rate and N its attempts, the expected spread of customers' own rates is
    p(1-p) [(k-1)(1-rho) + rho (N - sum n²/N)]; solved for rho, the strength is (1-rho)/rho.
    """
    size = int(group.max(initial=-1)) + 1
    tried = n > 0
    own, n_tried, e_tried = group[tried], n[tried], e[tried]
    people = np.bincount(own, minlength=size).astype(np.float64)
    total = np.bincount(own, n_tried, size)
    safe_total = np.where(total > 0, total, 1.0)
    rate = np.bincount(own, e_tried, size) / safe_total
    spread = np.bincount(own, n_tried * (e_tried / n_tried - rate[own]) ** 2, size)
    variance = rate * (1 - rate)
    room = total - np.bincount(own, n_tried**2, size) / safe_total - (people - 1)
    usable = (variance > 0) & (room > 0) & (people > 1)
    rho = np.where(
        usable,
        (spread / np.where(usable, variance, 1.0) - (people - 1)) / np.where(usable, room, 1.0),
        0.0,
    )
    floor = 1.0 / (1.0 + MAX_STRENGTH)
    rho = np.clip(rho, floor, 1.0 / (1.0 + MIN_STRENGTH))
    return np.asarray(((1 - rho) / rho)[group], dtype=np.float64)


def _day_part(
    part_n: Floats, part_e: Floats, n: Floats, e: Floats, group: Groups, p_engage: Floats
) -> Floats:
    """The customer's rate in one part of the day: own rate times the group's multiplier, then own
    evidence of that part. Shape (rows,)."""
    base = _pooled(n, e, group, np.full(len(n), 0.5), 1.0)
    multiplier = _pooled(part_n, part_e, group, base, GROUP_STRENGTH) / base
    expected = np.clip(p_engage * multiplier, 0.0, 1.0)
    pulled: Floats = (part_e + DAY_PART_STRENGTH * expected) / (part_n + DAY_PART_STRENGTH)
    return pulled


def _ranks(counts: pa.Table, p_engage: Floats) -> npt.NDArray[np.int32]:
    """1 is the most likely channel of a customer; equal ones in order of their names."""
    customer = _codes(counts, "customer_id")
    order = np.lexsort((_codes(counts, "channel"), -p_engage, customer))
    ranks = np.empty(len(order), dtype=np.int32)
    sorted_customers = customer[order]
    starts = np.r_[True, sorted_customers[1:] != sorted_customers[:-1]] if len(order) else []
    begin = np.maximum.accumulate(np.where(starts, np.arange(len(order)), 0))
    ranks[order] = np.arange(len(order)) - begin + 1
    return ranks


def _codes(counts: pa.Table, name: str) -> Groups:
    """Values as numbers in their sorted order, shape (rows,)."""
    values = counts.column(name).combine_chunks().dictionary_encode()
    order = np.argsort(values.dictionary.to_numpy(zero_copy_only=False).astype(str), kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return np.asarray(place[values.indices.to_numpy(zero_copy_only=False)], dtype=np.int64)


def _floats(counts: pa.Table, name: str) -> Floats:
    return np.asarray(counts.column(name).to_numpy(), dtype=np.float64)
