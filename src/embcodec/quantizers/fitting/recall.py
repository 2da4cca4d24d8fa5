"""The fewest bytes a row that keep so much of a search among rows that nothing was fitted to."""

from __future__ import annotations

from ..lowbit.levels import Floats
from ..lowbit.principal import LENGTH_BYTES, PrincipalScheme
from ..lowbit.scheme import LowBitScheme
from .choices import PLAIN, PRINCIPAL, RIVAL_BITS, Chosen, Size, bytes_alike, center_of, choices_of, fitted_scheme
from .measure import Trial
from .principal import Directions, directions_of, most_bytes, scheme_along
from .race import HeldOut, Progress
from .threads import one_blas_thread
from .wishes import Wishes

STEP = 4
"""Of the bytes that are tried."""

_QUERIES = 500


def fewest_bytes(
    x: Floats, queries: Floats | None, recall: float, wishes: Wishes, tell: Progress | None = None
) -> Chosen:
    """Return the least size whose overlap@10 reaches `recall` with the lower end of its interval.

    Principal directions are tried at half of the sizes that are left, again and again; then codes of four bits for all
    dimensions, which may keep more than directions do, if they are smaller.

    Raises
    ------
    ValueError
        Where no size does.
    """
    dimension, unit = x.shape[1], wishes.leave_out_lengths(x)
    (along,) = choices_of(PRINCIPAL, wishes.center, 1, alike=True)
    known: dict[int, Directions] = {}
    sizes: dict[str, Size] = {}

    def fit(sample: Floats, label: str) -> LowBitScheme | PrincipalScheme:
        size = sizes[label]
        if size.choice != along:
            return fitted_scheme(sample, size, wishes.shaping, wishes.seed)
        if id(sample) not in known:  # the samples last as long as this does
            known[id(sample)] = directions_of(sample, center_of(sample, along), unit=unit)
        return scheme_along(known[id(sample)], size.row_bytes, unit=unit)

    held_out = HeldOut(x, fit, wishes.seed, PLAIN)
    trial = Trial(held_out.rows, queries, wishes.seed, _QUERIES)
    found: dict[Size, tuple[float, float, float]] = {}
    tried = [Size(along, 1, row_bytes, unit) for row_bytes in _steps(dimension, unit=unit)]
    total = len(tried).bit_length() + 4  # with others, and the last fit

    def reaches(size: Size) -> bool:
        sizes[size.label] = size
        found[size] = trial.kept(trial.overlaps(held_out.estimates(size.label, trial.queries, first=False)))
        if tell is not None:
            tell(len(found), total, f"measured {size.label}")
        return found[size][1] >= recall

    with one_blas_thread():
        if not reaches(tried[-1]):
            raise ValueError(
                f"recall={recall} is more than low-bit codes keep of this sample: those of {tried[-1].row_bytes} bytes "
                f"keep {found[tried[-1]][1]:.3f} beyond doubt; ask for less, or take quantize(x, 'int8', "
                "scale='per-vector')"
            )
        below, reached = 0, len(tried) - 1
        while below < reached:
            middle = (below + reached) // 2
            below, reached = (below, middle) if reaches(tried[middle]) else (middle + 1, reached)
        others = []
        if wishes.rotation != PRINCIPAL and bytes_alike(RIVAL_BITS, dimension) < tried[reached].row_bytes:
            names = choices_of("whitened", wishes.center, RIVAL_BITS, alike=True)
            others = [Size(name, RIVAL_BITS, bytes_alike(RIVAL_BITS, dimension)) for name in names]
        enough = [size for size in others if reaches(size)]
    best = max(enough, key=lambda size: found[size]) if enough else tried[reached]
    report = {size.label: kept for size, (kept, _, _) in found.items()}
    return Chosen(best, report, found[best][1:])


def _steps(dimension: int, *, unit: bool) -> list[int]:
    """Return the sizes that codes in principal directions are tried at: the last is the largest."""
    most = most_bytes(dimension, unit=unit)
    return [*range(STEP * (1 + LENGTH_BYTES // STEP), most, STEP), most]
