"""The borrowers: who they are (visible in feeds) and what drives them (hidden).

Identity is fictitious by construction: family names that do not exist, e-mail at
``example.com`` (RFC 2606), United States numbers in the 555 exchange starting with the reserved
01xx lines, Indian numbers in the 5550 series (mobile series begin with 6 to 9), tax numbers with
a holder letter that is never issued ("Z" as fourth letter of a PAN) or area 000 (never issued in
an SSN).
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from simulator import columns, places
from simulator.seeds import generator

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EMPLOYMENT = ("salaried", "self_employed", "student", "retired", "unemployed")
_EMPLOYMENT_SHARE = (0.62, 0.24, 0.04, 0.06, 0.04)
CHANNELS = ("email", "sms", "whatsapp", "voice")
SLOTS = ("morning", "midday", "afternoon", "evening")
LANGUAGES = ("en", "hi", "ta", "mr", "es")
PRODUCTS = ("personal_loan", "two_wheeler", "auto_loan", "credit_card", "home_loan")
INDIA, UNITED_STATES = 0, 1
COUNTRIES = ("IN", "US")
CURRENCIES = ("INR", "USD")
_BEST_CHANNEL_SHARE = ((0.12, 0.25, 0.35, 0.28), (0.35, 0.35, 0.10, 0.20))
_BEST_SLOT_SHARE = ((0.22, 0.24, 0.2, 0.34), (0.2, 0.22, 0.18, 0.4))
_PRODUCT_INTEREST = ((0.4, 0.22, 0.1, 0.2, 0.08), (0.35, 0.02, 0.25, 0.28, 0.1))


@dataclass
class People:
    """One array element per customer; codes index the tuples of this module.

    Visible: everything up to ``declared_income`` (whole cents a month; -1 = not declared).
    Hidden traits: ``income`` (cents a month), ``willingness`` (standard normal), ``stability``
    (0..1, resists income shocks), ``salary_day`` (1..28), ``best_channel``, ``best_slot``,
    ``persuadability`` (0..1), ``digital`` (0..1), ``interest`` (a product code), ``is_early_bird``.
    """

    country: Ints
    place: Ints
    language: Ints
    first_name: Ints
    last_name: Ints
    phone: Ints
    has_email: npt.NDArray[np.bool_]
    national_id: Ints
    birth_year: Ints
    employment: Ints
    declared_income: Ints
    income: Ints
    willingness: Floats
    stability: Floats
    salary_day: Ints
    best_channel: Ints
    best_slot: Ints
    persuadability: Floats
    digital: Floats
    interest: Ints
    is_early_bird: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.country)

    def table(self) -> pa.Table:
        """The hidden state, one column an attribute."""
        return pa.table({f.name: pa.array(getattr(self, f.name)) for f in fields(self)})

    @classmethod
    def from_table(cls, table: pa.Table) -> "People":
        """The inverse of :meth:`table`."""
        return cls(**{f.name: table[f.name].to_numpy() for f in fields(cls)})


def make_people(seed: int, count: int, last_year: int) -> People:
    """Draw ``count`` borrowers; ages are 21 to 70 in ``last_year``."""
    rng = generator(seed, "people")
    country = (rng.random(count) < 0.30).astype("int64")
    place = _draw_places(rng, country)
    willingness = rng.normal(size=count)
    employment = rng.choice(len(EMPLOYMENT), count, p=_EMPLOYMENT_SHARE)
    income = _draw_income(rng, country, employment)
    declared = np.round(income * rng.lognormal(0.05, 0.15, count), -4).astype("int64")
    return People(
        country=country,
        place=place,
        language=_draw_languages(rng, place),
        first_name=rng.integers(0, 20, count),
        last_name=rng.integers(0, 8, count),
        phone=_phone_numbers(country, place),
        has_email=rng.random(count) < 0.88,
        national_id=np.arange(count, dtype="int64"),
        birth_year=last_year - rng.integers(21, 71, count),
        employment=employment,
        declared_income=np.where(rng.random(count) < 0.08, -1, declared),
        income=income,
        willingness=willingness,
        stability=np.clip(rng.beta(4, 2, count) + 0.06 * willingness, 0.02, 0.98),
        salary_day=rng.choice([1, 1, 1, 2, 3, 5, 7, 15, 25, 28], count),
        best_channel=_draw_by_country(rng, country, _BEST_CHANNEL_SHARE),
        best_slot=_draw_by_country(rng, country, _BEST_SLOT_SHARE),
        persuadability=rng.beta(2.0, 2.5, count),
        digital=rng.beta(1.5, 3.0, count),
        interest=_draw_by_country(rng, country, _PRODUCT_INTEREST),
        is_early_bird=rng.random(count) < 0.22,
    )


def _draw_places(rng: np.random.Generator, country: Ints) -> Ints:
    result = np.zeros(len(country), dtype="int64")
    for code, name in enumerate(COUNTRIES):
        here = [i for i, place in enumerate(places.PLACES) if place.country == name]
        share = np.array([places.PLACES[i].share for i in here], dtype="float64")
        chosen = rng.choice(here, len(country), p=share / share.sum())
        result = np.where(country == code, chosen, result)
    return result


def _draw_languages(rng: np.random.Generator, place: Ints) -> Ints:
    """Each place's own mix, by inverting its cumulative shares."""
    cumulative = np.array(
        [np.cumsum([p.languages.get(code, 0.0) for code in LANGUAGES]) for p in places.PLACES]
    )
    draw = rng.random(len(place))[:, None] * 0.999999
    return np.asarray((draw >= cumulative[place]).sum(axis=1), dtype="int64")


def _draw_by_country(
    rng: np.random.Generator, country: Ints, shares: tuple[tuple[float, ...], ...]
) -> Ints:
    cumulative = np.cumsum(np.array(shares), axis=1)
    draw = rng.random(len(country))[:, None] * 0.999999
    return np.asarray((draw >= cumulative[country]).sum(axis=1), dtype="int64")


def _draw_income(rng: np.random.Generator, country: Ints, employment: Ints) -> Ints:
    """Monthly income in cents: log-normal around a median of 45,000 INR or 4,300 USD."""
    median = np.where(country == INDIA, 45_000.0, 4_300.0)
    factor = np.array([1.0, 0.9, 0.35, 0.6, 0.4])[employment]
    raw = median * factor * rng.lognormal(0, 0.45, len(country))
    unit = np.where(country == INDIA, 100.0, 10.0)
    return np.asarray(np.round(raw / unit) * unit * 100, dtype="int64")


def _phone_numbers(country: Ints, place: Ints) -> Ints:
    """E.164 digits as an integer; unique while a telephone area holds under 9,900 borrowers."""
    count = len(country)
    india = 91_5550_000000 + np.arange(count)
    areas = np.array([int((p.area_codes or ("0",))[0]) for p in places.PLACES])
    sizes = np.array([max(len(p.area_codes), 1) for p in places.PLACES])
    table = np.zeros((len(places.PLACES), sizes.max()), dtype="int64")
    for i, p in enumerate(places.PLACES):
        table[i, : sizes[i]] = [int(code) for code in p.area_codes or (str(areas[i]),)]
    order = np.argsort(place, kind="stable")
    rank = np.empty(count, dtype="int64")
    starts = np.searchsorted(place[order], np.arange(len(places.PLACES)))
    rank[order] = np.arange(count) - starts[place[order]]
    area = table[place, rank % sizes[place]]
    line = 100 + rank // sizes[place]
    america = (10_000_000_000 + area * 10_000_000) + 5_550_000 + line
    return np.where(country == INDIA, india, america).astype("int64")


def customer_ids(customers: npt.ArrayLike) -> pa.Array:
    """``C0000001`` for customer index 0."""
    return columns.numbered("C", np.asarray(customers) + 1, 7)


def phones(people: People, customers: Ints) -> pa.Array:
    """E.164 with a plus sign."""
    return columns.join("+", pa.array(people.phone[customers]))


def full_names(people: People) -> pa.Array:
    """First and family name."""
    first = [name for c in COUNTRIES for name in places.FIRST_NAMES[c]]
    last = [name for c in COUNTRIES for name in places.LAST_NAMES[c]]
    return columns.join(
        columns.pick(first, people.first_name + 20 * people.country),
        " ",
        columns.pick(last, people.last_name + 8 * people.country),
    )


def emails(people: People) -> pa.Array:
    """``asha.testperson.42@example.com``; null for those without e-mail."""
    local = pc.replace_substring(pc.utf8_lower(full_names(people)), " ", ".")
    address = columns.join(local, ".", pa.array(np.arange(len(people))), "@example.com")
    return columns.blank(address, ~people.has_email)


def national_ids(people: People) -> pa.Array:
    """PAN-shaped ``ABCZX0001K`` in India, ``000-12-3456`` in the United States; never issued."""
    number = people.national_id
    letters = [chr(65 + i) for i in range(26)]
    pan = columns.join(
        columns.pick(letters, number // 10_000 // 26 % 26),
        columns.pick(letters, number // 10_000 % 26),
        "AZ",
        columns.pick(letters, people.last_name),
        columns.numbered("", number % 10_000, 4),
        columns.pick(letters, number % 26),
    )
    ssn = columns.join(
        columns.numbered("000-", number // 10_000 % 99 + 1, 2),
        "-",
        columns.numbered("", number % 10_000, 4),
    )
    return pc.if_else(pa.array(people.country == INDIA), pan, ssn)
