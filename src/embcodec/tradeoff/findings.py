"""What a study has measured, and what follows for a target."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..words import as_real, unknown
from .intervals import FEWEST_QUERIES
from .measurement import Measurement
from .stores import ANY, STORES


@dataclass(frozen=True)
class Findings:
    """Measurements and what they were made on: see :class:`.results.Study`."""

    measurements: list[Measurement]
    rows: int
    dimension: int
    queries: int
    k: int
    held_out: bool
    warnings: list[str] = field(default_factory=list)
    fitted_to: str = ""

    @property
    def whole(self) -> Measurement:
        """That of float32 at full dimension."""
        return self.measurements[0]

    def held_by(self, store: str | None) -> list[Measurement]:
        """Return the measurements of what a store takes, or any of them does; None: all."""
        if store is None:
            return self.measurements
        if not (isinstance(store, str) and store in (*STORES, ANY)):
            raise unknown("store", store, (*STORES, ANY))
        return [found for found in self.measurements if store in found.stores or (store == ANY and found.stores)]

    def recommend(
        self, target: float = 0.98, *, rescoring_on_disk: bool = False, store: str | None = None
    ) -> Measurement | None:
        """Return the measurement with the fewest bytes whose overlap is at least `target`, or None.

        The lower end of the interval must reach the target, not the mean alone. Among those of as many bytes the one
        whose codes most stores take as they are is taken (floats, then bits, int8 and uint8 of the unit scale; none
        takes per-vector scales and low-bit codes), then the one that finds most, then the fastest, then the one of
        fewest stages. Of fewer than 30 queries nothing follows: None. Of as many, float itself reaches any target.

        Parameters
        ----------
        target : float
            Part of the exact float32 neighbours to be found, 0 to 1.
        rescoring_on_disk : bool
            Count only the bytes that are scanned; rows for rescoring are gathered from a mapped file.
        store : str, optional
            Among those that this store takes as they are and searches so by itself ("pgvector", "sqlite-vec", "faiss",
            "elasticsearch", "vespa", "milvus", "qdrant", "redis", "lancedb", "duckdb", "s3-vectors"), or that "any"
            does: ``Measurement.stores``. By default also among those that embcodec alone searches.

        Examples
        --------
        >>> import numpy as np, embcodec
        >>> x = np.random.default_rng(0).standard_normal((400, 32), dtype=np.float32)
        >>> found = embcodec.study(x, dimensions=[32], multipliers=[4], rotation="none")
        >>> best = found.recommend(0.9)
        >>> best.label, best.encode(x)
        ('int8 unit', Embeddings(400 x 32 int8, 12800 bytes))
        >>> best.stores
        ('sqlite-vec', 'faiss', 'elasticsearch', 'vespa', 'milvus', 'redis')
        >>> best.search(best.index(x), x[:2], k=1).indices.tolist()
        [[0], [1]]
        >>> found.recommend(0.9, store="qdrant").label
        'uint8 unit'
        >>> print(best.code)
        import embcodec
        <BLANKLINE>
        rows = embcodec.truncate(vectors, 32)
        codes = embcodec.quantize(rows, "int8", scale="unit")
        ...
        """
        if not 0 <= as_real(target, "the target") <= 1:
            raise ValueError(f"the target is a part of float's recall, 0 to 1, not {target}")
        sure = self.queries >= FEWEST_QUERIES
        good = [found for found in self.held_by(store) if sure and found.overlap.low >= target]
        if not good:
            return None
        return min(
            good,
            key=lambda m: (
                m.code_bytes if rescoring_on_disk else m.total_bytes,
                m.total_bytes,
                (0, 0) if m.recipe is None else m.recipe.stores,
                -m.overlap.mean,
                -m.one_per_second,
                len(m.stages),
            ),
        )
