"""How likely a borrower is to react to one contact: the hidden truth about channels and hours.

The legacy contact log and :class:`simulator.world.DefaultWorld` both draw from this function, so
what a platform learns from the log is true of the borrowers that it will write to.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_CHANNEL_LOGIT = np.array([-2.1, -2.0, -1.5, -1.5])
_BEST_CHANNEL, _BEST_SLOT, _WILLINGNESS = 1.9, 0.9, 0.3

SLOT_MINUTES = (
    (8 * 60 + 15, 10 * 60 + 45),
    (11 * 60, 13 * 60 + 45),
    (14 * 60, 16 * 60 + 45),
    (17 * 60, 18 * 60 + 50),
)
"""Local minutes of day in which the legacy dialler worked, by slot (Indian calls end at 19:00)."""


def slot_of_minutes(local_minutes: npt.ArrayLike) -> Ints:
    """0 morning (before 11:00), 1 midday (before 14:00), 2 afternoon (before 17:00), 3 evening."""
    edges = [11 * 60, 14 * 60, 17 * 60]
    return np.asarray(np.digitize(np.asarray(local_minutes), edges), dtype="int64")


def engagement_chance(
    channel: npt.ArrayLike,
    slot: npt.ArrayLike,
    best_channel: npt.ArrayLike,
    best_slot: npt.ArrayLike,
    willingness: npt.ArrayLike,
) -> Floats:
    """Chance of an open, click, reply or right-party contact, element by element."""
    logit = (
        _CHANNEL_LOGIT[np.asarray(channel)]
        + _BEST_CHANNEL * (np.asarray(channel) == np.asarray(best_channel))
        + _BEST_SLOT * (np.asarray(slot) == np.asarray(best_slot))
        + _WILLINGNESS * np.asarray(willingness)
    )
    chance: Floats = 1 / (1 + np.exp(-logit))
    return chance
