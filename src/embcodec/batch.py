"""Batch files: JSON lines, one request or answer each, in memory bounded by the longest line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from .batch_writer import write_batch
from .embeddings import Embeddings, replace_values
from .errors import DecodeError, ServiceError
from .profiles import Profile
from .response_decoder import Decoder, EmbeddingResponse
from .service import Usage, service_error

__all__ = ["BatchLine", "BatchResult", "decode_batch", "iter_batch", "write_batch"]

Progress = Callable[[int, int], object]

MAX_LINE = 1 << 30  # bytes; services cap whole files at less


@dataclass(frozen=True, slots=True)
class BatchLine:
    """One line of an output file: an answer or an error.

    Attributes
    ----------
    line : int
        Its number in the file, from 1.
    custom_id : str or None
    response : EmbeddingResponse or None
    error : ServiceError, DecodeError or None
        What the service reported, or what is wrong with the line; the offset in a DecodeError counts from the start
        of the line.
    """

    line: int
    custom_id: str | None
    response: EmbeddingResponse | None = None
    error: ServiceError | DecodeError | None = None


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What a file held.

    Attributes
    ----------
    custom_ids : list of str or None
        One a row of `embeddings`; a line of several inputs gives its id to each.
    embeddings : Embeddings
        In the order of the file.
    errors : list of BatchLine
        The lines that hold no embeddings, each with its ``error``.
    usage : Usage
        The sum.
    """

    custom_ids: list[str | None]
    embeddings: Embeddings
    errors: list[BatchLine] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    def in_order(self, custom_ids: Iterable[str]) -> Embeddings:
        """Return the rows of these ids, in this order (all rows of an id, in the order they had).

        Raises
        ------
        KeyError
            Where an id has no row.
        """
        rows: dict[str | None, list[int]] = {}
        for row, custom_id in enumerate(self.custom_ids):
            rows.setdefault(custom_id, []).append(row)
        return self.embeddings[np.array([row for name in custom_ids for row in rows[name]], np.intp)]


def iter_batch(
    path: str | os.PathLike[str],
    *,
    output_dtype: str = "float",
    dimension: int | None = None,
    profile: str | Profile = "mistral",
    nulls: Literal["error", "nan"] = "error",
    progress: Progress | None = None,
) -> Iterator[BatchLine]:
    r"""Read the output file of a batch job, line by line.

    Mistral's and OpenAI's files are alike. Lines may stand in any order; blank ones are passed over; a line that
    cannot be read, a last one cut short included, is an error among the data.

    Parameters
    ----------
    path : path-like
    output_dtype, dimension, profile, nulls
        As for :func:`~embcodec.decode_response`.
    progress : callable, optional
        Called with the bytes read and the bytes there are, as lines are read.

    Yields
    ------
    BatchLine

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "out.jsonl")
    >>> _ = path.write_text('''{"custom_id": "a", "response": {"status_code": 200, "body": {"data": [
    ... {"embedding": [1, 2]}]}}, "error": null}'''.replace("\n", "") + '''
    ... {"custom_id": "b", "response": null, "error": "too long"}''')
    >>> for line in iter_batch(path):
    ...     print(line.line, line.custom_id, line.response and line.response.embeddings, line.error)
    1 a Embeddings(1 x 2 float, 8 bytes) None
    2 b None too long
    """
    decoder = Decoder(output_dtype, dimension, profile, nulls)
    total = os.path.getsize(path)
    with open(path, "rb", buffering=1 << 20) as file:
        for number, text in _lines(file):
            if progress is not None:
                progress(file.tell(), total)
            if text is None:
                yield BatchLine(number, None, error=DecodeError(f"more than {MAX_LINE} bytes", line=number))
            elif not text.isspace():
                yield _decode_line(decoder, number, memoryview(text)[:-1] if text.endswith(b"\n") else text)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes | None]]:
    """Number the lines; one that is too long comes as None and is never in memory as a whole."""
    number = 0
    while text := file.readline(MAX_LINE):
        number += 1
        if len(text) < MAX_LINE or text.endswith(b"\n"):
            yield number, text
            continue
        while text and not text.endswith(b"\n"):
            text = file.readline(1 << 20)
        yield number, None


def _decode_line(decoder: Decoder, number: int, text: bytes | memoryview) -> BatchLine:
    custom_id = None
    try:
        rows, document = decoder.read(text, "response.body.")
        custom_id = _custom_id(document)
        response = document.get("response")
        response = response if isinstance(response, dict) else {}
        status, body = response.get("status_code"), response.get("body")
        status = status if isinstance(status, int) and not 200 <= status < 300 else None
        said = document.get("error") or (body if status is not None else None)
        if not said and status is None and rows.list_start < 0 and not body:
            is_object = bytes(text[:64]).lstrip().startswith(b"{")
            raise DecodeError("neither a response nor an error" if is_object else "not an object", offset=0)
        if said or status is not None:
            fields = {"error": said} if isinstance(said, str) else said
            raise service_error(fields if isinstance(fields, dict) else None, status)
        return BatchLine(number, custom_id, decoder.answer(rows, body if isinstance(body, dict) else {}))
    except DecodeError as error:
        placed = DecodeError(error.reason, offset=error.offset, row=error.row, line=number)
        return BatchLine(number, custom_id or _custom_id_of_text(text), error=placed)
    except ServiceError as error:
        return BatchLine(number, custom_id, error=error)


def _custom_id(document: Any) -> str | None:
    custom_id = document.get("custom_id") if isinstance(document, dict) else None
    return custom_id if custom_id is None or isinstance(custom_id, str) else str(custom_id)


def _custom_id_of_text(text: bytes | memoryview) -> str | None:
    """Return the id of a line whose vectors cannot be read, if its JSON can."""
    try:
        return _custom_id(json.loads(bytes(text)))
    except (ValueError, RecursionError):
        return None


def decode_batch(
    path: str | os.PathLike[str],
    *,
    out: NDArray[Any] | None = None,
    progress: Progress | None = None,
    output_dtype: str = "float",
    dimension: int | None = None,
    profile: str | Profile = "mistral",
    nulls: Literal["error", "nan"] = "error",
) -> BatchResult:
    """Read the output file of a batch job into one matrix.

    Parameters
    ----------
    path : path-like
    out : ndarray, optional
        Where to put the rows, C-contiguous (n, width) of the dtype's elements, with room for all of them: a
        ``numpy.memmap`` keeps even the result out of memory. By default a new array.
    progress : callable, optional
        Called with the bytes read and the bytes there are, as lines are read.
    output_dtype, dimension, profile, nulls
        As for :func:`~embcodec.decode_response`; the first answer settles a dimension that is not given.

    Returns
    -------
    BatchResult
        Failures are data in it: ``errors``; a line whose custom_id an earlier one has answered is one of them.

    Raises
    ------
    ValueError
        Where `out` does not fit.
    """
    decoder = Decoder(output_dtype, dimension, profile, nulls)
    rows = _Rows(out)
    ids: list[str | None] = []
    answered: dict[str | None, int] = {}  # the line of every id
    errors: list[BatchLine] = []
    usage = Usage()
    part = 1.0  # of the file that has been read

    def note(done: int, total: int) -> None:
        nonlocal part
        part = done / max(total, 1)
        if progress is not None:
            progress(done, total)

    first: Embeddings | None = None
    for line in iter_batch(
        path, output_dtype=output_dtype, dimension=dimension, profile=decoder.profile, nulls=nulls, progress=note
    ):
        if line.response is None:
            errors.append(line)
            continue
        found = line.response.embeddings
        words = ""
        if first is not None and found.dimension != first.dimension:
            words = f"dimension {found.dimension} where the lines before have {first.dimension}"
        elif line.custom_id is not None and answered.setdefault(line.custom_id, line.line) != line.line:
            words = f"custom_id {line.custom_id[:80]!r} was answered on line {answered[line.custom_id]} already"
        if words:
            errors.append(BatchLine(line.line, line.custom_id, error=DecodeError(words, line=line.line)))
            continue
        first = first or found
        rows.add(found.values, part)
        ids += [line.custom_id] * len(found)
        usage += line.response.usage
    if first is None:
        empty = np.empty((0, decoder.width or 0), decoder.dtype.numpy_dtype)
        return BatchResult(ids, decoder.typed(empty, decoder.dimension or 0), errors, usage)
    return BatchResult(ids, replace_values(first, rows.matrix()), errors, usage)


class _Rows:
    """A matrix that grows, by moving its pages rather than its rows; or one that the caller gave."""

    def __init__(self, out: NDArray[Any] | None) -> None:
        if out is not None and (
            not isinstance(out, np.ndarray) or out.ndim != 2 or not out.flags.c_contiguous or not out.flags.writeable
        ):
            raise ValueError("out is a writable C-contiguous matrix")
        self.values, self.given, self.rows = out, out is not None, 0

    def add(self, rows: NDArray[Any], part: float) -> None:
        """Append rows, when `part` of the whole has come with them."""
        end = self.rows + len(rows)
        if self.values is None:
            self.values = np.empty((0, rows.shape[1]), rows.dtype)
        if self.values.dtype != rows.dtype or self.values.shape[1] != rows.shape[1]:
            raise ValueError(f"out has {self.values.shape[1]} {self.values.dtype}, rows {rows.shape[1]} {rows.dtype}")
        if end > len(self.values):
            if self.given:
                raise ValueError(f"out has room for {len(self.values)} rows only")
            wanted = max(end, min(int(end / max(part, 1e-9) * 1.01), 4 * end + 1024))
            self.values.resize((wanted, rows.shape[1]), refcheck=False)
        self.values[self.rows : end] = rows
        self.rows = end

    def matrix(self) -> NDArray[Any]:
        """Return the rows."""
        assert self.values is not None
        if not self.given:
            self.values.resize((self.rows, self.values.shape[1]), refcheck=False)
        return self.values[: self.rows]
