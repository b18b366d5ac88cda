"""A borrower's bank account as its bank sees it: salary, rent, groceries, EMIs, bounces.

Built for many accounts and days at once on a grid of person-days. Repayments to this lender are
taken from the book's own payment log, so an EMI in a bank statement is an EMI in ``payments``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.book import LoanBook
from simulator.calendar import day_of_month, months_since_epoch
from simulator.people import EMPLOYMENT
from simulator.seeds import generator

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

CREDIT, DEBIT = 0, 1
BOUNCE_CHARGE = 59_000
_SALARIED, _RETIRED = EMPLOYMENT.index("salaried"), EMPLOYMENT.index("retired")


@dataclass(frozen=True)
class Kind:
    """What a kind of transaction looks like on a statement."""

    direction: int
    mode: str
    narration: str


KINDS = (
    Kind(CREDIT, "NEFT", "NEFT/SALARY/EXAMPLE INDUSTRIES LTD"),
    Kind(CREDIT, "NEFT", "NEFT/PENSION CREDIT/EXAMPLE PENSION FUND"),
    Kind(CREDIT, "UPI", "UPI/CR/CUSTOMER PAYMENT/EXAMPLE SHOP"),
    Kind(DEBIT, "UPI", "UPI/DR/RENT/EXAMPLE LANDLORD"),
    Kind(DEBIT, "AUTO_DEBIT", "BILLPAY/ELECTRICITY/EXAMPLE POWER"),
    Kind(DEBIT, "UPI", "UPI/DR/MOBILE RECHARGE/EXAMPLE TELECOM"),
    Kind(DEBIT, "UPI", "UPI/DR/GROCERY/EXAMPLE KIRANA MART"),
    Kind(DEBIT, "ATM", "ATM WDL/CASH/EXAMPLE ATM 0042"),
    Kind(DEBIT, "UPI", "UPI/DR/TRANSFER/FRIEND TESTPERSON"),
    Kind(CREDIT, "UPI", "UPI/CR/TRANSFER/FRIEND TESTPERSON"),
    Kind(DEBIT, "NACH", "ACH D-/INSURANCE PREMIUM/EXAMPLE LIFE"),
    Kind(DEBIT, "NACH", "ACH D-/SIP MUTUAL FUND/EXAMPLE AMC"),
    Kind(DEBIT, "CARD", "POS/SHOPPING/EXAMPLE STORE"),
    Kind(CREDIT, "INTEREST_CREDIT", "INT.PD/INTEREST CREDIT"),
    Kind(DEBIT, "NACH", "ACH D-/EMI/EXAMPLE OTHER LENDER"),
    Kind(DEBIT, "NACH", "ACH D-/EMI/MERIDIAN FINANCE"),
    Kind(DEBIT, "UPI", "UPI/DR/LOAN EMI/MERIDIAN FINANCE"),
    Kind(DEBIT, "OTHERS", "ACH RETURN CHGS/INSUFFICIENT FUNDS"),
    Kind(CREDIT, "IMPS", "IMPS/CR/TRANSFER/OWN ACCOUNT"),
)
(
    SALARY, PENSION, BUSINESS, RENT, ELECTRICITY, RECHARGE, GROCERY, CASH, TRANSFER_OUT,
    TRANSFER_IN, INSURANCE, INVESTMENT, SHOPPING, INTEREST, OTHER_EMI, OWN_EMI,
    OWN_EMI_UPI, BOUNCE, TOP_UP,
) = range(len(KINDS))  # fmt: skip


@dataclass(frozen=True)
class Ledger:
    """Transactions in statement order: row of the account, kind, cents, UTC-free local time.

    ``day`` and ``second`` are the bank's local date and second of day; ``balance`` follows each
    transaction; ``closing`` is the last balance of each account row.
    """

    row: Ints
    kind: Ints
    amount: Ints
    day: Ints
    second: Ints
    balance: Ints
    closing: Ints


@dataclass(frozen=True)
class PaymentLog:
    """The book's recent payments: account, cents, status code, day, and whether by mandate."""

    account: Ints
    amount: Ints
    status: Ints
    day: Ints
    is_mandate: npt.NDArray[np.bool_]


def build(
    seed: int,
    book: LoanBook,
    log: PaymentLog,
    other_emi: Ints,
    customer: Ints,
    start: Ints,
    end: int,
    opening: Ints,
) -> Ledger:
    """Statements of ``customer`` accounts from their ``start`` days through ``end``.

    Args:
        seed: the lender's seed.
        book: loans and borrowers.
        log: payments of at least the days asked for.
        other_emi: cents a month to other lenders, per account row.
        customer: customer index of each account row; no customer twice.
        start: first day of each row.
        end: last day, common to all.
        opening: balance before the first day in cents; -1 lets this function choose one that
            keeps the account in credit.

    When spending would overdraw an account whose opening balance is fixed, money arrives from
    the holder's other account on the first day.
    """
    rng = generator(seed, "statements", end)
    parts = [
        *_living(rng, book, other_emi, customer, start, end),
        *_own_repayments(book, log, customer, start, end),
    ]
    row, kind, amount, day = (np.concatenate([part[i] for part in parts]) for i in range(4))
    keep = amount > 0
    row, kind, amount, day = row[keep], kind[keep], amount[keep], day[keep]
    early = np.isin(kind, (OTHER_EMI, OWN_EMI, INSURANCE, INVESTMENT, SALARY, PENSION))
    clock = rng.random(len(row))
    second = np.where(
        early, 6 * 3_600 + clock * 3 * 3_600, 9.5 * 3_600 + clock * 12 * 3_600
    ).astype("int64")
    return _with_balances(
        _sorted(row, kind, amount, day, second), book.people.income[customer], start, opening
    )


def _living(
    rng: np.random.Generator, book: LoanBook, other_emi: Ints, customer: Ints, start: Ints, end: int
) -> list[tuple[Ints, Ints, Ints, Ints]]:
    length = end - start + 1
    row = np.repeat(np.arange(len(customer)), length)
    day = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length) + start[row]
    who = customer[row]
    people, dom, months = book.people, day_of_month(day), months_since_epoch(day)
    first = int(months.min()) if len(months) else 0
    shock_table = np.array(
        [book.shocks.during(m) for m in range(first, int(months_since_epoch(end)) + 1)]
    )
    shock = shock_table[months - first, who]
    income = people.income[who].astype("float64")
    works = people.employment[who]
    habit = (who * 2_654_435_761) % 997 / 997
    noise = rng.lognormal(0, 0.25, len(row))
    spend, slump = np.where(shock, 0.7, 1.0), np.where(shock, 0.4, 1.0)

    def on(chance: float) -> npt.NDArray[np.bool_]:
        return rng.random(len(row)) < chance

    pay_day = dom == people.salary_day[who]
    is_employee, is_retired = works == _SALARIED, works == _RETIRED
    missed = shock & on(0.45)
    quarter_end = (dom == 1) & (months % 3 == 0)
    emi = other_emi[row]
    emi_due = (dom == 5) & (emi > 0)
    emi_fails = emi_due & shock & on(0.4)
    plan: list[tuple[int, npt.NDArray[np.bool_], Floats]] = [
        (SALARY, pay_day & is_employee & ~missed, income * np.where(shock, 0.55, 1.0)),
        (PENSION, pay_day & is_retired, income),
        (BUSINESS, ~is_employee & ~is_retired & on(0.25), income / 7.5 * noise * slump),
        (RENT, (dom == 3 + who % 5) & (habit < 0.55), income * (0.14 + 0.16 * habit)),
        (ELECTRICITY, dom == 8 + who % 9, income * 0.025 * noise),
        (RECHARGE, dom == 18, np.full(len(row), 29_900.0)),
        (GROCERY, on(0.28), income * 0.014 * noise * spend),
        (CASH, on(0.05), np.maximum(np.round(income * 0.035 * noise * spend / 50_000), 1) * 50_000),
        (TRANSFER_OUT, on(0.11), income * 0.016 * noise * spend),
        (TRANSFER_IN, on(0.05), income * 0.015 * noise),
        (INSURANCE, (dom == 12) & (habit > 0.7), income * 0.03),
        (INVESTMENT, (dom == 7) & (habit > 0.4) & (habit < 0.7) & ~shock, income * 0.06),
        (SHOPPING, on(0.14), income * 0.013 * noise * spend),
        (INTEREST, quarter_end, income * 0.006),
        (OTHER_EMI, emi_due & ~emi_fails, emi.astype("float64")),
        (BOUNCE, emi_fails, np.full(len(row), float(BOUNCE_CHARGE))),
    ]  # fmt: skip
    return [
        (
            row[here],
            np.full(int(here.sum()), kind),
            np.round(amount[here]).astype("int64"),
            day[here],
        )
        for kind, here, amount in plan
    ]


def _own_repayments(
    book: LoanBook, log: PaymentLog, customer: Ints, start: Ints, end: int
) -> list[tuple[Ints, Ints, Ints, Ints]]:
    row_of = np.full(len(book.people), -1)
    row_of[customer] = np.arange(len(customer))
    row = row_of[book.loans.customer[log.account]]
    ours = (row >= 0) & (log.day >= start[row]) & (log.day <= end)
    paid, bounced = ours & (log.status == 0), ours & (log.status == 1)
    kind = np.where(log.is_mandate, OWN_EMI, OWN_EMI_UPI)
    return [
        (row[paid], kind[paid], log.amount[paid], log.day[paid]),
        (
            row[bounced],
            np.full(int(bounced.sum()), BOUNCE),
            np.full(int(bounced.sum()), BOUNCE_CHARGE),
            log.day[bounced],
        ),
    ]


def _sorted(row: Ints, kind: Ints, amount: Ints, day: Ints, second: Ints) -> tuple[Ints, ...]:
    order = np.lexsort((amount, kind, second, day, row))
    return row[order], kind[order], amount[order], day[order], second[order]


def _with_balances(parts: tuple[Ints, ...], income: Ints, start: Ints, opening: Ints) -> Ledger:
    row, kind, amount, day, second = parts
    count = len(income)
    running = _running(row, kind, amount, count)
    lowest = np.zeros(count, dtype="int64")
    np.minimum.at(lowest, row, running)
    is_free = opening < 0
    opening = np.where(is_free, income // 4 - lowest, opening)
    short = np.where(opening + lowest < 0, -(opening + lowest), 0)
    helped = np.flatnonzero(short > 0)
    top_up = (short[helped] // 100_000 + 2) * 100_000
    row, kind, amount, day, second = _sorted(
        np.concatenate([row, helped]),
        np.concatenate([kind, np.full(len(helped), TOP_UP)]),
        np.concatenate([amount, top_up]),
        np.concatenate([day, start[helped]]),
        np.concatenate([second, np.full(len(helped), 60)]),
    )
    running = _running(row, kind, amount, count)
    balance = running + opening[row]
    closing = opening.copy()
    closing[row] = balance
    return Ledger(row, kind, amount, day, second, balance, closing)


def _running(row: Ints, kind: Ints, amount: Ints, count: int) -> Ints:
    """Sum of signed amounts within each row, up to and including each transaction."""
    direction = np.array([k.direction for k in KINDS])
    signed = np.where(direction[kind] == CREDIT, amount, -amount)
    total = np.cumsum(signed)
    before = np.r_[0, total]
    running: Ints = total - before[np.searchsorted(row, np.arange(count))][row]
    return running
