"""Codes of few bits a dimension that keep more than sign bits do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._native import bits as native_bits
from ...dtypes import CenterName, LengthsName, RotationName, ShapingName
from ...errors import StorageError
from ...words import shown, shows_progress
from ..lowbit.codes import LowBitCodes
from ..lowbit.levels import Floats
from ..lowbit.principal import PrincipalScheme
from ..lowbit.scheme import LowBitScheme
from ..quantize import as_float_rows
from ..samples import is_list_of_batches
from ..summary import Summary
from .choices import fitted_scheme, rows_to_learn_from
from .choose import choose
from .files import Fitted, read_quantizer, write_quantizer
from .race import Progress
from .threads import one_blas_thread
from .wishes import Wishes


class LowBitQuantizer:
    """Few bits a dimension, rotated and centred, with one unbiased scale a vector; or so many bytes a vector.

    Parameters
    ----------
    bits : float
        1, 2 or 4 bits a dimension, or with directions of their own any number above 0 and up to 8.
    bytes_per_vector : int, optional
        All bytes of a row, instead of `bits`: from 3 to what 8 bits a dimension take. Bits go where they tell most; of
        four bits a dimension, which take a tenth less at most, it is measured whether they keep more.
    recall : float, optional
        Between 0 and 1, instead of either: the fewest bytes, in steps of four, whose overlap@10 with float search
        reaches it with the lower end of its 95 % interval, among the sample's own rows (up to 4,000 of them), coded by
        what is fitted to others. Among many more rows neighbours lie closer, and codes keep less.
    rotation : {"none", "random", "blocks", "learned", "whitened", "principal", "auto"}
        "random": signs and Hadamard transforms, fast. "blocks": iterative quantization of 64 dimensions at a time on
        the sample, fast. "learned": of all dimensions, the slowest to fit and to encode (a whole matrix product, at
        1,024 dimensions ten times the cost of "blocks"); it gains most on the sample itself and wants many times more
        rows than dimensions. "whitened": a partial whitening, which queries take back, and blocks after it: the most
        accurate for rows that were not in the sample, at four times the cost of "blocks". "principal": the directions
        in which rows vary most, each eight of them with as many bits as pay; it keeps most at every size, wants a few
        hundred rows, and encodes some 20,000 rows of 1,024 dimensions a second. It is the only one of other numbers of
        bits, and of bytes. "auto" measures them on rows that they were not fitted to.
    shaping : {"auto", "none"}
        Whether levels are chosen for what they err by together, in the directions in which queries reach, rather than
        each by itself: codes of the same form that keep 1 to 6 points more. Principal directions have nothing to gain
        by it: along them errors do not mix.
    center : {"none", "mean", "auto"}
        Whether the sample's mean is taken off first, which rescues models whose vectors share a large mean.
    seed : int
    lengths : {"auto", "stored"}
        Whether codes of a number of bytes, or in principal directions that were asked for, store how long rows are, in
        two bytes each. "auto": not where all rows of the sample have unit length; those bytes go to the codes, and a
        row of another length is refused when it is coded. "stored": always.

    Attributes
    ----------
    choice : str
        What was chosen: ``"learned rotation, centred"``.
    report : dict of str to float
        The overlap@10 with float search that each choice reached on rows that it was not fitted to, where there was a
        choice to make. That is taken which loses least against the best for each kind of queries, in the kind in which
        it loses most, on average over the 10, 20, 40 and 80 nearest; where others lose no more, but for a thousandth
        or a standard error, "whitened" is, so that the choice hangs on no seed. At one bit "plain sign bits" are kept
        unless another is better beyond doubt: for every kind, and in the mean by so many standard errors that among
        equal choices one fit in a thousand takes another. From 800 rows on choices race: a quarter of the rows, or of
        4,000, leaves out those that others are better than beyond doubt in the mean (plain bits in every kind), and
        the others are measured on all, if there are several; the report is of the last heat. With `recall`, the report
        is of each size that was tried.
    recall_interval : tuple of float, or None
        With `recall`, the 95 % interval of what the code that was chosen keeps.

    Notes
    -----
    A row x becomes r = P(x - c), coded as levels l of r sqrt(d) / |r|, with the scale s = |r|^2 / <r, l>, so that
    <q, c> + s <Pq, l> estimates <q, x> without bias. Queries meet them at length 1, e, without their share of the
    center, u = <e, c> / |c|^2: <e, c> + s <P(e - u c), l> + u <c, x - c>, the last of which is known of a row of unit
    length, is less noisy. A score depends on nothing but its query and its row. The 1-bit code is RaBitQ's (arXiv
    2405.12497). A row takes bits * ceil(dimension / 8) bytes, and for its scale and length 4 (one bit) or 8 (two and
    four).

    In principal directions u, of deviation d, levels are near to <r, u> / (|r| d), and <q, r> is estimated as |r| times
    the dot of q with v, what the levels stand for, times g / sqrt(|v|): g, which the scheme has, makes that right on
    average. Of the row 2 bytes for |r| are stored besides its bits; nothing of rows of unit length, of which v says it:
    c + |r| v / |v| has unit length, too. The directions form a chain: a level is a weighted sum of a direction's own
    bits and of the four bits before them, and the bits of a row are those whose levels err least all together, found by
    Viterbi's algorithm (trellis coded quantization, Marcellin and Fischer 1990, here with levels that are linear in the
    bits).

    Examples
    --------
    >>> sample = np.random.default_rng(0).standard_normal((200, 64)).astype(np.float32)
    >>> quantizer = LowBitQuantizer(2, rotation="random", center="mean").fit(sample)
    >>> quantizer.choice, quantizer.encode(sample)
    ('random rotation, centred', LowBitCodes(200 x 64 at 2 bits, 4800 bytes))

    So many bytes a vector:

    >>> LowBitQuantizer(bytes_per_vector=12).fit(sample).encode(sample)
    LowBitCodes(200 x 64 in 12 bytes, 2400 bytes)
    """

    bits: float
    bytes_per_vector: int | None
    recall: float | None
    recall_interval: tuple[float, float] | None
    rotation: RotationName
    shaping: ShapingName
    center: CenterName
    seed: int
    lengths: LengthsName
    choice: str
    report: dict[str, float]

    def __init__(
        self,
        bits: float = 1,
        *,
        bytes_per_vector: int | None = None,
        recall: float | None = None,
        rotation: RotationName = "auto",
        shaping: ShapingName = "auto",
        center: CenterName = "auto",
        seed: int = 0,
        lengths: LengthsName = "auto",
    ) -> None:
        wishes = Wishes(bits, bytes_per_vector, recall, rotation, shaping, center, seed, lengths).checked()
        vars(self).update(wishes._asdict())
        self.recall_interval = None
        self.choice = ""
        self.report = {}
        self._scheme: LowBitScheme | PrincipalScheme | None = None

    @property
    def scheme(self) -> LowBitScheme | PrincipalScheme:
        """What was fitted."""
        if self._scheme is None:
            raise ValueError("the quantizer is not fitted: call .fit(sample) first")
        return self._scheme

    @shows_progress("fitting")
    def fit(
        self,
        sample: ArrayLike | Iterator[ArrayLike] | Summary,
        *,
        queries: ArrayLike | None = None,
        progress: Progress | bool | None = None,
    ) -> LowBitQuantizer:
        """Fit to rows like those to be coded.

        Parameters
        ----------
        sample : array-like of float, (n, dimension), iterator or list of such, or Summary
            One row is enough, a few for each dimension are good, and the rows that are to be coded, all of them, are
            best; at most 20,000 are used to learn a rotation. Of several batches a :class:`Summary` keeps those to fit
            to.
        queries : array-like of float, (m, dimension), optional
            Real queries to measure choices with, some hundred. By default rows of the sample ask, as they are, without
            half of what they share, and mixed with each other.
        progress : callable or True, optional
            Called with (done, total, label) where there is a choice to make; the total falls where a first heat leaves
            choices out. True: a bar on standard error, where that is a terminal, or in a notebook.

        Raises
        ------
        ValueError
            For an empty sample, NaN or infinities; and where no code keeps the `recall` that is wished.
        """
        if isinstance(sample, Iterator) or is_list_of_batches(sample):
            sample = Summary().update(sample)
        x = sample.rows if isinstance(sample, Summary) else as_float_rows(sample)
        if not x.size:
            raise ValueError("the sample is empty")
        native_bits.require_finite(x)
        asked = None if queries is None else as_float_rows(queries)
        if asked is not None:
            if not len(asked):
                raise ValueError("there are no queries: leave queries out, and rows of the sample ask")
            if asked.shape[1] != x.shape[1]:
                raise ValueError(f"queries have {asked.shape[1]} dimensions, the sample {x.shape[1]}")
            native_bits.require_finite(asked)
        told = None if isinstance(progress, bool) else progress  # the decorator has made a function of True
        chosen = choose(x, asked, self._wishes, told)
        with one_blas_thread(rows_to_learn_from(x) * x.shape[1] ** 2):
            self._scheme = fitted_scheme(x, chosen.size, self.shaping, self.seed)
        self.choice, self.report, self.recall_interval = chosen.size.choice, chosen.report, chosen.interval
        return self

    def encode(self, x: ArrayLike, *, threads: int | None = None) -> LowBitCodes:
        """Return the codes of rows (n, dimension); NaN, infinities and other dimensions are refused (ValueError).

        So are rows that have not unit length, within 1 %, by codes that store no lengths (CodeMismatchError). By
        default one thread codes few rows and more code many: the codes do not depend on it.
        """
        rows: NDArray[Any] = x if _is_float_matrix(x) else as_float_rows(x)
        if rows.shape[1] != self.scheme.dimension:
            raise ValueError(f"rows have {rows.shape[1]} dimensions, the quantizer {self.scheme.dimension}")
        return LowBitCodes.of(rows, self.scheme, threads)

    def decode(self, codes: LowBitCodes, *, threads: int | None = None) -> Floats:
        """Return the rows that codes stand for, float32 (n, dimension), whatever the number of threads."""
        if not isinstance(codes, LowBitCodes):
            raise TypeError(f"codes are LowBitCodes, not {shown(codes)}")
        if codes.scheme.identity != self.scheme.identity:
            raise ValueError(f"these codes were made by {codes.scheme.identity}, not {self.scheme.identity}")
        return codes.to_float(threads=threads)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted quantizer to an ``.npz`` file, as :func:`embcodec.save` writes: whole, or not at all.

        Raises
        ------
        StorageError
            For a file of another name.
        """
        settings = self._wishes._asdict()
        write_quantizer(path, Fitted(settings, self.choice, self.report, self.scheme, self.recall_interval))

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, max_bytes: int | None = None) -> LowBitQuantizer:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
        max_bytes : int, optional
            How many bytes of memory it may ask for; see :func:`embcodec.load`.

        Raises
        ------
        StorageError
            Where the file is damaged or holds something else; checksums are compared.
        OSError
            Where it cannot be read.
        """
        fitted = read_quantizer(path, max_bytes)
        try:
            quantizer = cls(**fitted.settings)
        except ValueError as error:
            raise StorageError(f"{os.fspath(path)} holds no low-bit quantizer: {error}") from None
        quantizer.choice, quantizer.report, quantizer._scheme = fitted.choice, fitted.report, fitted.scheme
        quantizer.recall_interval = fitted.interval
        return quantizer

    def __repr__(self) -> str:
        fitted = f": {self.choice}" if self._scheme else ", not fitted"
        return f"LowBitQuantizer({self._wishes.size}, rotation={self.rotation!r}, center={self.center!r}{fitted})"

    @property
    def _wishes(self) -> Wishes:
        return Wishes(*(getattr(self, name) for name in Wishes._fields))


def _is_float_matrix(x: Any) -> TypeGuard[NDArray[Any]]:
    """Whether `x` can be converted block by block, as large files want it."""
    plain = isinstance(x, np.ndarray) and not isinstance(x, np.ma.MaskedArray)
    return bool(plain and x.ndim == 2 and x.dtype.kind == "f")
