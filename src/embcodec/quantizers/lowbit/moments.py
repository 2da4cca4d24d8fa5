"""Second moments of rows and of queries: what an error along a direction costs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .levels import Floats

_LEAST_SPREAD = 1e-6  # of rows of unit length around a center
_COST_POWER = 3  # of deviations: what a direction's error costs in a chain, as when bits were given to it


def costs_in_chain(deviations: Floats, directions: Floats, center: Floats | None, *, unit: bool) -> Floats:
    """Return what directions' errors cost in a chain: their variance times the deviation of queries."""
    if not unit or center is None:
        return np.asarray((deviations / deviations.max()) ** _COST_POWER, np.float32)
    variances = deviations.astype(np.float64) ** 2
    wide = variances * np.sqrt(moments_of_queries(variances, directions, center))
    return np.asarray(wide / wide.max(), np.float32)


def moments_of_queries(
    variances: NDArray[np.float64], directions: NDArray[Any], center: Floats | None
) -> NDArray[np.float64]:
    """Return the second moments of what meets rows of unit length, along directions (dimension, m), float64 (m,).

    Queries are like rows. Their share of the center meets rows, too: it counts how far these reach along it, which
    their lengths would say if they were stored. Rows, centred, have length 1 here.
    """
    if center is None:
        return variances
    along, square = center.astype(np.float64) @ directions, squared_length(center)
    moments: NDArray[np.float64] = variances + along**2 / max(1 - square, _LEAST_SPREAD)
    return moments


def squared_length(center: Floats) -> float:
    """Return the squared length of a center."""
    return float(np.einsum("i,i->", center, center, dtype=np.float64))
