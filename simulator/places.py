"""Where the borrowers live: states, cities, time zones, languages, telephone areas.

Postal codes are a city's well-known prefix with made-up last digits. Arizona (no daylight saving)
and the two-zone states Florida and Texas are here on purpose: they are what quiet-hour rules get
wrong.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """One city of a state.

    Attributes:
        share: relative number of the country's borrowers who live here.
        languages: language code to its share of this place's borrowers.
        area_codes: United States telephone areas; empty for India.
    """

    country: str
    state: str
    city: str
    postal_prefix: str
    postal_digits: int
    time_zone: str
    share: float
    languages: dict[str, float]
    area_codes: tuple[str, ...] = ()


_EN_ES = {"en": 0.84, "es": 0.16}
_KOLKATA = "Asia/Kolkata"

PLACES: tuple[Place, ...] = (
    Place("IN", "MH", "Mumbai", "400", 6, _KOLKATA, 16, {"mr": 0.4, "hi": 0.3, "en": 0.3}),
    Place("IN", "MH", "Pune", "411", 6, _KOLKATA, 12, {"mr": 0.55, "hi": 0.2, "en": 0.25}),
    Place("IN", "TN", "Chennai", "600", 6, _KOLKATA, 14, {"ta": 0.7, "en": 0.3}),
    Place("IN", "TN", "Coimbatore", "641", 6, _KOLKATA, 7, {"ta": 0.8, "en": 0.2}),
    Place("IN", "DL", "Delhi", "110", 6, _KOLKATA, 15, {"hi": 0.75, "en": 0.25}),
    Place("IN", "UP", "Lucknow", "226", 6, _KOLKATA, 9, {"hi": 0.9, "en": 0.1}),
    Place("IN", "KA", "Bengaluru", "560", 6, _KOLKATA, 13, {"en": 0.6, "hi": 0.2, "ta": 0.2}),
    Place("IN", "GJ", "Ahmedabad", "380", 6, _KOLKATA, 8, {"hi": 0.7, "en": 0.3}),
    Place("IN", "WB", "Kolkata", "700", 6, _KOLKATA, 6, {"hi": 0.5, "en": 0.5}),
    Place("US", "MA", "Boston", "021", 5, "America/New_York", 9, _EN_ES, ("617", "857")),
    Place("US", "NY", "New York", "100", 5, "America/New_York", 13, _EN_ES, ("212", "646", "718")),
    Place("US", "NY", "Buffalo", "142", 5, "America/New_York", 4, _EN_ES, ("716",)),
    Place(
        "US",
        "FL",
        "Miami",
        "331",
        5,
        "America/New_York",
        9,
        {"en": 0.55, "es": 0.45},
        ("305", "786"),
    ),
    Place("US", "FL", "Pensacola", "325", 5, "America/Chicago", 3, _EN_ES, ("850",)),
    Place("US", "GA", "Atlanta", "303", 5, "America/New_York", 6, _EN_ES, ("404", "470")),
    Place("US", "IL", "Chicago", "606", 5, "America/Chicago", 10, _EN_ES, ("312", "773")),
    Place(
        "US",
        "TX",
        "Houston",
        "770",
        5,
        "America/Chicago",
        10,
        {"en": 0.65, "es": 0.35},
        ("713", "281"),
    ),
    Place("US", "TX", "El Paso", "799", 5, "America/Denver", 4, {"en": 0.45, "es": 0.55}, ("915",)),
    Place("US", "CO", "Denver", "802", 5, "America/Denver", 6, _EN_ES, ("303", "720")),
    Place(
        "US",
        "AZ",
        "Phoenix",
        "850",
        5,
        "America/Phoenix",
        8,
        {"en": 0.7, "es": 0.3},
        ("602", "480"),
    ),
    Place("US", "WA", "Seattle", "981", 5, "America/Los_Angeles", 8, _EN_ES, ("206", "425")),
    Place(
        "US",
        "CA",
        "Los Angeles",
        "900",
        5,
        "America/Los_Angeles",
        10,
        {"en": 0.6, "es": 0.4},
        ("213", "310"),
    ),
)

FIRST_NAMES: dict[str, tuple[str, ...]] = {
    "IN": (
        "Asha", "Ravi", "Meena", "Suresh", "Kavya", "Arjun", "Lakshmi", "Vikram", "Anjali",
        "Karthik", "Sunita", "Prakash", "Divya", "Manoj", "Revathi", "Sachin", "Pooja", "Ganesh",
        "Nisha", "Imran",
    ),
    "US": (
        "Alex", "Maria", "James", "Linda", "Carlos", "Emily", "Marcus", "Sofia", "Daniel", "Grace",
        "Luis", "Hannah", "Tyler", "Elena", "Jordan", "Naomi", "Victor", "Julia", "Kevin", "Rosa",
    ),
}  # fmt: skip

LAST_NAMES: dict[str, tuple[str, ...]] = {
    "IN": (
        "Testperson", "Samplewala", "Demokar", "Mockrao", "Fictivar",
        "Udaharan", "Namunekar", "Exampleswamy",
    ),
    "US": (
        "Testperson", "Sampleman", "Mockford", "Fictitious",
        "Placename", "Exampleton", "Dummyfield", "Ejemplo",
    ),
}  # fmt: skip
"""Family names nobody bears: a reader of any screen sees at once that no real person is shown."""
