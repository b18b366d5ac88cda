"""Which of the allowed candidates are carried out: a linear program with its own certificate.

Maximise expected value minus cost, at most one contact a customer a day, at most the day's capacity
a channel, and of that at most a share for offers. Customers are disjoint sets, and channels with
their offers inside are nested ones: two laminar families, so the constraint matrix is totally
unimodular and every vertex of the linear program is a choice of whole contacts. One program a
currency, since values of two currencies cannot be added; capacity is shared in proportion to the
customers who could use it.

The certificate does not trust the solver: from its dual prices (clipped to be feasible) weak
duality gives an upper bound on any allocation, and the gap to it is reported.

Determinism: candidates enter in the order of their ids, the solver is a single-threaded simplex.
Equal-valued alternatives are therefore resolved the same way whatever the order of the rows given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from resources.errors import PayMentorError

_TOLERANCE = 1e-6


class AllocationError(PayMentorError):
    """The linear program of a day was not solved to a proven optimum; nothing is planned."""


@dataclass(frozen=True)
class Certificate:
    """What was proven for one currency: value of the choice, and a bound nobody can beat."""

    currency: str
    candidates: int
    chosen: int
    value: float
    upper_bound: float
    capacity: Mapping[str, int]

    @property
    def gap(self) -> float:
        """Upper bound minus value, in the currency."""
        return self.upper_bound - self.value


@dataclass(frozen=True)
class Allocation:
    """Chosen candidate ids, sorted, and one certificate a currency."""

    chosen: list[str]
    certificates: list[Certificate]


def allocate(
    candidates: pa.Table, capacity: Mapping[str, int], offer_capacity_share: float
) -> Allocation:
    """Choose among allowed candidates (columns of CANDIDATES); at most one a customer.

    `capacity` is contacts a day by channel. Candidates whose value does not exceed their cost are
    never chosen. Raises AllocationError when the solver proves no optimum.
    """
    useful = _with_net_value(candidates).sort_by("candidate_id")
    useful = _one_currency_each(useful)
    chosen: list[str] = []
    certificates = []
    currencies = sorted(set(useful.column("currency").to_pylist()))
    shares = _share_capacity(useful, currencies, capacity)
    offer_limits = {name: int(limit * offer_capacity_share) for name, limit in capacity.items()}
    offers = useful.filter(pc.equal(useful.column("candidate_kind"), "offer"))
    offer_shares = _share_capacity(offers, currencies, offer_limits)
    for currency in currencies:
        mask = pc.equal(useful.column("currency"), currency)
        picked, certificate = _solve(
            useful.filter(mask), currency, shares[currency], offer_shares[currency]
        )
        chosen.extend(picked)
        certificates.append(certificate)
    return Allocation(sorted(chosen), certificates)


def _with_net_value(candidates: pa.Table) -> pa.Table:
    names = ["candidate_id", "customer_id", "candidate_kind", "channel", "currency"]
    net = pc.subtract(candidates.column("expected_value"), candidates.column("cost"))
    table = candidates.select([*names, "days_past_due"]).append_column(
        "net_value", net.cast(pa.float64())
    )
    return table.filter(pc.greater(table.column("net_value"), 0.0))


def _one_currency_each(candidates: pa.Table) -> pa.Table:
    """Customers with debts in several currencies count where they are latest, then by name."""
    order = [("customer_id", "ascending"), ("days_past_due", "descending")]
    first = candidates.select(["customer_id", "days_past_due", "currency"]).sort_by(
        [*order, ("currency", "ascending")]
    )
    home: dict[str, str] = {}
    for customer, currency in zip(
        first.column("customer_id").to_pylist(), first.column("currency").to_pylist(), strict=True
    ):
        home.setdefault(customer, currency)
    keep = [
        home[customer] == currency
        for customer, currency in zip(
            candidates.column("customer_id").to_pylist(),
            candidates.column("currency").to_pylist(),
            strict=True,
        )
    ]
    return candidates.filter(pa.array(keep, pa.bool_()))


def _share_capacity(
    candidates: pa.Table, currencies: list[str], capacity: Mapping[str, int]
) -> dict[str, dict[str, int]]:
    """Capacity by currency and channel, in proportion to customers; largest remainder first."""
    pairs = candidates.select(["currency", "channel", "customer_id"]).group_by(
        ["currency", "channel"]
    )
    counted = pairs.aggregate([("customer_id", "count_distinct")]).to_pylist()
    demand = {(r["currency"], r["channel"]): r["customer_id_count_distinct"] for r in counted}
    shares: dict[str, dict[str, int]] = {currency: {} for currency in currencies}
    for channel, total in sorted(capacity.items()):
        wanted = {c: demand.get((c, channel), 0) for c in currencies}
        everyone = sum(wanted.values())
        if everyone <= total:
            for currency in currencies:
                shares[currency][channel] = wanted[currency]
            continue
        exact = {c: total * wanted[c] / everyone for c in currencies}
        floors = {c: int(exact[c]) for c in currencies}
        spare = total - sum(floors.values())
        by_remainder = sorted(currencies, key=lambda c: (floors[c] - exact[c], c))
        for currency in by_remainder[:spare]:
            floors[currency] += 1
        for currency in currencies:
            shares[currency][channel] = floors[currency]
    return shares


def _solve(
    candidates: pa.Table,
    currency: str,
    capacity: Mapping[str, int],
    offer_capacity: Mapping[str, int],
) -> tuple[list[str], Certificate]:
    from scipy.optimize import linprog
    from scipy.sparse import csr_matrix

    count = candidates.num_rows
    values = candidates.column("net_value").to_numpy()
    customer = _codes(candidates.column("customer_id"))
    channels = sorted(capacity)
    by_name = {name: index for index, name in enumerate(channels)}
    # A channel the lender has no terms for has no capacity either.
    channel = np.array(
        [by_name.get(name, len(channels)) for name in candidates.column("channel").to_pylist()]
    )
    is_offer = np.array([k == "offer" for k in candidates.column("candidate_kind").to_pylist()])
    customers = int(customer.max()) + 1
    width = len(channels) + 1
    index = np.arange(count)
    offers = index[is_offer]
    rows = np.concatenate([customer, customers + channel, customers + width + channel[offers]])
    columns = np.concatenate([index, index, offers])
    matrix = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(customers + 2 * width, count))
    full = [capacity[name] for name in channels] + [0]
    for_offers = [offer_capacity[name] for name in channels] + [0]
    limits = np.array([1] * customers + full + for_offers, dtype=float)
    result = linprog(-values, A_ub=matrix, b_ub=limits, bounds=(0, 1), method="highs-ds")
    if result.status != 0:
        raise AllocationError(
            f"The allocation in {currency} over {count} candidates was not solved: "
            f"{result.message} Nothing was planned; check capacities and expected values."
        )
    whole = np.round(result.x)
    if np.abs(result.x - whole).max() > _TOLERANCE or (matrix @ whole > limits + _TOLERANCE).any():
        raise AllocationError(
            f"The allocation in {currency} is not a choice of whole contacts; nothing was planned."
        )
    picked = whole > 0.5
    prices = np.maximum(0.0, -np.asarray(result.ineqlin.marginals))
    bound = float(limits @ prices + np.maximum(0.0, values - matrix.T @ prices).sum())
    ids = candidates.column("candidate_id").to_pylist()
    certificate = Certificate(
        currency=currency,
        candidates=count,
        chosen=int(picked.sum()),
        value=round(float(values[picked].sum()), 6),
        upper_bound=round(bound, 6),
        capacity=dict(capacity),
    )
    return [ids[i] for i in np.flatnonzero(picked)], certificate


def _codes(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    _, codes = np.unique(np.array(column.to_pylist()), return_inverse=True)
    return np.asarray(codes, dtype=np.int64)
