"""The loan book moving through time: who pays, how much, and how late, one day at a time.

The hidden behaviour is here and nowhere else. Every day each account has a chance to pay that
depends on the borrower's willingness and income shocks, on the days since salary, on how far
behind the account is, and on recent contact. The uniform draw behind that chance is made for
every account every day, so a payment caused by a message never disturbs another account's luck.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.calendar import day_of_month, is_month_end, months_since_epoch
from simulator.loans import Loans, Position, instalments_due, position
from simulator.people import People
from simulator.seeds import generator
from simulator.shocks import Shocks

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

CHARGE_OFF_DAYS = 180
HISTORY_MONTHS = 24
CODE_BEFORE, CODE_CHARGED_OFF, CODE_CLOSED = ord("B"), ord("L"), ord("E")

_HAZARD_BY_BUCKET = np.array([0.16, 0.085, 0.038, 0.024, 0.013, 0.004])
"""Chance a day of paying, for an ordinary borrower, by days late up to 7, 30, 60, 90, 180, more."""
_BUCKET_EDGES = [8, 31, 61, 91, 181]


@dataclass(frozen=True)
class DayPayments:
    """Payments of one day, one element each: account index, cents, status code.

    Status codes index :data:`simulator.feeds.payments.STATUSES` (0 success, 1 bounced, 2 reversed).
    """

    account: Ints
    amount: Ints
    status: Ints

    def __len__(self) -> int:
        return len(self.account)


NO_PAYMENTS = DayPayments(*(np.zeros(0, dtype="int64") for _ in range(3)))


@dataclass
class BookState:
    """What the next day depends on, one element an account (``history``: 24 codes, newest first).

    Days are -1 when there is none. ``is_sold``: charged off before the first day, no longer
    ours. ``boost_until``: last day on which a contact still works.
    """

    paid: Ints
    is_charged_off: Bools
    is_sold: Bools
    last_payment_day: Ints
    last_payment_amount: Ints
    promise_day: Ints
    boost_until: Ints
    history: npt.NDArray[np.uint8]

    @classmethod
    def new(cls, count: int) -> "BookState":
        """Nobody has paid anything yet."""
        return cls(
            paid=np.zeros(count, dtype="int64"),
            is_charged_off=np.zeros(count, dtype=bool),
            is_sold=np.zeros(count, dtype=bool),
            last_payment_day=np.full(count, -1),
            last_payment_amount=np.zeros(count, dtype="int64"),
            promise_day=np.full(count, -1),
            boost_until=np.full(count, -1),
            history=np.full((count, HISTORY_MONTHS), CODE_BEFORE, dtype="uint8"),
        )


class LoanBook:
    """Loans, borrowers and state; :meth:`step` closes one day."""

    def __init__(
        self, seed: int, people: People, loans: Loans, shocks: Shocks, state: BookState
    ) -> None:
        self.people, self.loans, self.shocks, self.state = people, loans, shocks, state
        self._seed = seed
        self._willingness = people.willingness[loans.customer]
        load = np.bincount(loans.customer, loans.emi, len(people)) / people.income
        self._load = np.clip(load[loans.customer], 0, 1.2)

    def position(self, day: int) -> Position:
        """Every account at the end of ``day``, with the payments made so far."""
        return position(self.loans, self.state.paid, day)

    def step(
        self, day: int, responses: DayPayments = NO_PAYMENTS
    ) -> tuple[DayPayments, DayPayments]:
        """Let ``day`` happen: payments are made, charge-offs and month-end histories recorded.

        Args:
            day: the day to close; days must be closed in order.
            responses: payments that messages caused; each is cut down to what is overdue and
                dropped when nothing is.

        Returns:
            The responses that took effect (at most one an account), and all other payments.
        """
        response = self._apply_responses(day, responses)
        rng = generator(self._seed, "payments", day)
        count = len(self.loans)
        luck, size, slip = rng.random(count), rng.random(count), rng.random(count)
        now = self.position(day)
        chance, is_on_due_day = self._chances(day, now)
        pays = luck < chance
        account = np.flatnonzero(pays)
        amount = self._amounts(now, size)
        self._record(day, account, amount[account])
        bounced = self._bounced(is_on_due_day & ~pays, slip)
        reversed_ = account[slip[account] > 0.9985]
        self._close(day)
        emi = self.loans.emi
        parts = [
            (account, amount[account], 0),
            (bounced, emi[bounced], 1),
            (reversed_, emi[reversed_], 2),
        ]
        return response, DayPayments(
            account=np.concatenate([a for a, _, _ in parts]),
            amount=np.concatenate([m for _, m, _ in parts]),
            status=np.concatenate([np.full(len(a), s) for a, _, s in parts]),
        )

    def _apply_responses(self, day: int, responses: DayPayments) -> DayPayments:
        if not len(responses):
            return NO_PAYMENTS
        wanted = np.bincount(responses.account, responses.amount, len(self.loans)).astype("int64")
        amount = np.minimum(wanted, self.position(day).overdue)
        account = np.flatnonzero(amount > 0)
        self._record(day, account, amount[account])
        return DayPayments(account, amount[account], np.zeros(len(account), dtype="int64"))

    def _chances(self, day: int, now: Position) -> tuple[Floats, Bools]:
        """The chance of each account to pay on ``day``, and which were due for collection today."""
        loans, state, people = self.loans, self.state, self.people
        is_live = (loans.opened <= day) & ~now.is_settled & ~state.is_sold
        dom = int(day_of_month(day))
        since_salary = (dom - people.salary_day[loans.customer]) % 30
        shock = self.shocks.during(int(months_since_epoch(day)))[loans.customer]
        w = self._willingness
        falls_due = (instalments_due(loans, day) > instalments_due(loans, day - 1)) & is_live
        is_on_due_day = falls_due & (now.overdue > 0) & (now.overdue <= loans.emi)
        on_time = 2.6 + 1.05 * w - 2.6 * shock - 1.5 * self._load + 0.5 * loans.has_mandate
        on_time = on_time - 0.9 * (since_salary > 12)
        is_late = (now.days_past_due > 0) & ~is_on_due_day & is_live
        hazard = _HAZARD_BY_BUCKET[np.digitize(now.days_past_due, _BUCKET_EDGES)]
        hazard = hazard * np.exp(0.75 * w - 1.3 * shock - 0.5 * self._load)
        hazard = hazard * np.where(since_salary <= 3, 2.6, 0.85)
        persuasion = people.persuadability[loans.customer]
        hazard = hazard * np.where(day <= state.boost_until, 1 + 2.2 * persuasion, 1.0)
        kept = 1 / (1 + np.exp(-(0.2 + 0.8 * w - 1.5 * shock)))
        hazard = np.where(state.promise_day == day, np.maximum(hazard, kept), hazard)
        early = people.is_early_bird[loans.customer] & is_live & (now.overdue == 0)
        early &= (now.next_due >= 0) & (now.next_due - day <= 3) & (now.due_count == now.paid_count)
        chance = np.where(early, 0.22, 0.0)
        chance = np.where(is_late, np.minimum(hazard, 0.9), chance)
        chance = np.where(is_on_due_day, 1 / (1 + np.exp(-on_time)), chance)
        return chance, is_on_due_day

    def _amounts(self, now: Position, size: Floats) -> Ints:
        """Most pay all that is overdue; some one instalment, some a part of one."""
        emi = self.loans.emi
        overdue = now.overdue
        part = np.round(emi * (0.3 + 2.0 * (size - 0.9).clip(0)) / 100).astype("int64") * 100
        amount = np.where(size < 0.72, overdue, np.where(size < 0.92, emi, part))
        return np.where(overdue > 0, np.minimum(amount, overdue), emi)

    def _record(self, day: int, account: Ints, amount: Ints) -> None:
        state = self.state
        state.paid[account] += amount
        state.last_payment_day[account] = day
        state.last_payment_amount[account] = amount

    def _bounced(self, missed: Bools, slip: Floats) -> Ints:
        """A mandate that finds no money bounces; a borrower who pays by hand simply stays away."""
        return np.flatnonzero(missed & self.loans.has_mandate & (slip < 0.8))

    def _close(self, day: int) -> None:
        state, now = self.state, self.position(day)
        state.is_charged_off |= now.days_past_due > CHARGE_OFF_DAYS
        if is_month_end(day):
            codes = np.minimum(now.days_past_due // 30, 6).astype("uint8") + ord("0")
            codes = np.where(state.is_charged_off, CODE_CHARGED_OFF, codes)
            codes = np.where(now.is_settled, CODE_CLOSED, codes)
            codes = np.where(self.loans.opened > day, CODE_BEFORE, codes)
            state.history[:, 1:] = state.history[:, :-1]
            state.history[:, 0] = codes
