"""What signs, labels and walls say. Words are plain ASCII without spaces, so that every OCR engine can write them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .canvas import pick

Line = tuple[str, ...]
"""The words of one line."""


@dataclass(frozen=True)
class Phrase:
    """Lines that belong together; ``sizes`` are their letter heights relative to the largest line."""

    lines: tuple[Line, ...]
    sizes: tuple[float, ...]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))


_STREETS = _listed(
    "OAK, MAPLE, CHURCH, STATION, RIVER, MARKET, KING, QUEEN, HARBOUR, GARDEN, MILL, PARK, HIGH, BRIDGE, CASTLE, "
    "VICTORIA, LINDEN, NORTH, WEST, ABBEY, FOREST, GEORGE, HILL, LAKE"
)
_WAYS = ("STREET", "ROAD", "LANE", "AVENUE", "SQUARE", "ST", "AVE", "WAY", "ROW")
_PLACES = _listed(
    "Airport, Harbour, Museum, Old Town, City Hall, Zoo, Beach, Stadium, University, Castle, Theatre, Hospital, "
    "Ferry, Central, Library, Tower"
)
_SHOPS = _listed(
    "BAKERY, Books, FLOWERS, Pharmacy, CAFE, Optician, TAILOR, Florist, HOTEL, Cheese, BARBER, Jazz, CINEMA, "
    "Records, BICYCLES, Antiques, Laundry, PIZZA, Toys, Fish"
)
_GOODS = _listed(
    "Tea, Latte, Mocha, Bagel, Soup, Salad, Scone, Apples, Pears, Plums, Honey, Bread, Butter, Olives, Cider, Figs, "
    "Rice, Salmon, Cake, Juice"
)
_NOTICES = tuple(
    tuple(notice.split(" / "))
    for notice in _listed(
        "NO PARKING, EXIT, KEEP CLEAR, WET PAINT, PUSH, MIND / THE GAP, ONE WAY, CLOSED, OPEN, NO ENTRY, STAFF ONLY, "
        "FRAGILE, THIS SIDE UP, SALE, TAXI, QUIET / PLEASE, FIRE DOOR, LIFT, GOODS IN, BEWARE / OF THE DOG"
    )
)
"""Each notice with its lines."""
_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
"""Without I, O and Q, as on number plates: in many fonts they are another sign's twins."""


def phrase(rng: np.random.Generator) -> Phrase:
    """One thing to read: a street name, a notice, a price list, a number plate, ..."""
    maker: Callable[[np.random.Generator], Phrase] = pick(
        rng, (_street, _direction, _shop, _prices, _plate, _notice, _notice, _timetable, _room, _parcel)
    )
    return maker(rng)


def shortest(rng: np.random.Generator) -> Phrase:
    """A single number of two digits, for where nothing else fits."""
    return _phrase((str(rng.integers(10, 100)), 1.0))


def _phrase(*lines: tuple[str, float]) -> Phrase:
    return Phrase(tuple(tuple(text.split()) for text, _ in lines), tuple(size for _, size in lines))


def _street(rng: np.random.Generator) -> Phrase:
    name, kind = pick(rng, _STREETS), pick(rng, _WAYS)
    if rng.random() < 0.5:
        return _phrase((f"{name} {kind}", 1.0))
    return _phrase((f"{name} {kind}", 1.0), (f"{rng.integers(1, 90)}-{rng.integers(90, 400)}", 0.62))


def _direction(rng: np.random.Generator) -> Phrase:
    places = rng.permutation(len(_PLACES))[:2]
    lines = [(f"{_PLACES[place]} {rng.integers(1, 40)} km", 1.0) for place in places]
    return _phrase(*lines[: int(rng.integers(1, 3))])


def _shop(rng: np.random.Generator) -> Phrase:
    hours = f"{rng.integers(7, 11)}:{pick(rng, ('00', '30'))}-{rng.integers(16, 21)}:{pick(rng, ('00', '30'))}"
    second = pick(rng, (f"Open {hours}", f"since {rng.integers(1880, 2016)}", f"Tel. 555-{rng.integers(1000, 10000)}"))
    return _phrase((pick(rng, _SHOPS), 1.0), (second, 0.45))


def _prices(rng: np.random.Generator) -> Phrase:
    goods = rng.permutation(len(_GOODS))[: int(rng.integers(2, 5))]
    return _phrase(
        *((f"{_GOODS[item]} ${rng.integers(1, 13)}.{pick(rng, (25, 40, 50, 75, 80, 95))}", 1.0) for item in goods)
    )


def _plate(rng: np.random.Generator) -> Phrase:
    letters = "".join(_LETTERS[k] for k in rng.integers(0, len(_LETTERS), 5))
    return _phrase((f"{letters[:2]}{rng.integers(10, 100)} {letters[2:]}", 1.0))


def _notice(rng: np.random.Generator) -> Phrase:
    return _phrase(*((line, 1.0) for line in pick(rng, _NOTICES)))


def _timetable(rng: np.random.Generator) -> Phrase:
    lines = [(f"Line {rng.integers(1, 90)}", 1.0)]
    for place in rng.permutation(len(_PLACES))[: int(rng.integers(1, 4))]:
        lines.append((f"{rng.integers(10, 24)}:{rng.integers(10, 60)} {_PLACES[place]}", 0.7))
    return _phrase(*lines)


def _room(rng: np.random.Generator) -> Phrase:
    return _phrase((f"{pick(rng, ('ROOM', 'GATE', 'Floor', 'Platform', 'Bay', 'No.'))} {rng.integers(2, 400)}", 1.0))


def _parcel(rng: np.random.Generator) -> Phrase:
    code = "".join(_LETTERS[k] for k in rng.integers(0, len(_LETTERS), 3))
    return _phrase(
        (f"LOT {code}-{rng.integers(100, 1000)}", 1.0), (f"{rng.integers(2, 60)} kg {rng.integers(10, 99)}%", 0.8)
    )
