"""What is fitted, of all that may be: chosen by measuring, where there is a choice."""

from __future__ import annotations

from ..lowbit.levels import Floats
from ..lowbit.principal import PrincipalScheme
from ..lowbit.scheme import LowBitScheme
from .choices import PLAIN, PREFERRED, Chosen, can_be_learned, fitted_scheme
from .measure import ROWS
from .race import Progress, winner
from .recall import fewest_bytes
from .wishes import Wishes

_FEWEST_ROWS = 80  # to measure by


def choose(x: Floats, queries: Floats | None, wishes: Wishes, tell: Progress | None = None) -> Chosen:
    """Return the choice that is the best on rows that it is not fitted to; the first where there are few rows.

    Raises
    ------
    ValueError
        Where nothing is as small, or keeps as much, as is wished.
    """
    if wishes.recall is not None:
        if len(x) < _FEWEST_ROWS:
            raise ValueError(f"recall is measured on {_FEWEST_ROWS} rows or more, not {len(x)}: give bytes_per_vector")
        return fewest_bytes(x, queries, wishes.recall, wishes, tell)
    sizes = wishes.sizes(x.shape[1], unit=wishes.leave_out_lengths(x))
    choices = list(sizes)
    if len(choices) == 1 or len(x) < _FEWEST_ROWS:
        return Chosen(sizes[choices[0]], {})
    if len(choices) > 2:  # of too few rows some would be learned by heart
        rows_a_dimension = min(len(x), ROWS) / x.shape[1]
        choices = [choice for choice in choices if can_be_learned(choice, rows_a_dimension)]

    def fit(sample: Floats, choice: str) -> LowBitScheme | PrincipalScheme:
        return fitted_scheme(sample, sizes[choice], wishes.shaping, wishes.seed)

    best, report = winner(x, queries, choices, fit, plain=PLAIN, preferred=PREFERRED, seed=wishes.seed, tell=tell)
    return Chosen(sizes[best], report)
