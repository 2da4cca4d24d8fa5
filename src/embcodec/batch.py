"""Batch files: JSON lines, one request or answer each, in memory bounded by the longest line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import BufferedReader, FileIO
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .batch_plain import PlainLines
from .batch_rows import GrowingRows
from .batch_writer import write_batch
from .dtypes_arguments import as_path
from .embeddings import Embeddings, replace_values
from .errors import DecodeError, ServiceError
from .profiles import Profile
from .response_decoder import Decoder, EmbeddingResponse
from .service import Usage, service_error

__all__ = ["BatchLine", "BatchResult", "decode_batch", "iter_batch", "write_batch"]

Progress = Callable[[int, int], object]

MAX_LINE = 1 << 30  # bytes; services cap whole files at less
_BUFFER = 1 << 19  # bytes of a file: a part of L2


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
    path = as_path(path)
    total, number = os.path.getsize(path), 0
    with BufferedReader(FileIO(path), _BUFFER) as file:
        while (text := _read_line(file)) != b"":
            number += 1
            if progress is not None:
                progress(file.tell(), total)
            line = _line_of(decoder, number, text)
            if line is not None:
                yield line


def _read_line(file: BufferedReader[Any]) -> bytes | None:
    """Return the next line, nothing at the end; of one that is too long None, and it is never in memory as a whole."""
    text = file.readline(MAX_LINE)
    if len(text) < MAX_LINE or text.endswith(b"\n"):
        return text
    while text and not text.endswith(b"\n"):
        text = file.readline(1 << 20)
    return None


def _line_of(decoder: Decoder, number: int, text: bytes | None) -> BatchLine | None:
    """Return what a line holds; None for a blank one."""
    if text is None:
        return BatchLine(number, None, error=DecodeError(f"more than {MAX_LINE} bytes", line=number))
    if text.isspace():
        return None
    return _decode_line(decoder, number, memoryview(text)[:-1] if text.endswith(b"\n") else text)


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
    rows = GrowingRows(out)
    ids: list[str | None] = []
    answered: dict[str | None, int] = {}  # the line of every id
    errors: list[BatchLine] = []
    usage = Usage()
    first: Embeddings | None = None
    plain: PlainLines | None = None
    path = as_path(path)
    total, number = os.path.getsize(path), 0
    with BufferedReader(FileIO(path), _BUFFER) as file:
        while True:
            while plain is not None and (found := plain.read(file, number, answered)) is not None:
                if progress is not None:
                    for end in found.ends:
                        progress(end, total)
                number += len(found.ends)
                rows.add(found.values, file.tell() / max(total, 1))
                ids += found.custom_ids
                usage += found.usage
            text = _read_line(file)
            if text == b"":
                break
            number += 1
            if progress is not None:
                progress(file.tell(), total)
            line = _line_of(decoder, number, text)
            if line is None:
                continue
            if line.response is None:
                errors.append(line)
                continue
            matrix = line.response.embeddings
            words = ""
            if first is not None and matrix.dimension != first.dimension:
                words = f"dimension {matrix.dimension} where the lines before have {first.dimension}"
            elif line.custom_id is not None and answered.setdefault(line.custom_id, number) != number:
                words = f"custom_id {line.custom_id[:80]!r} was answered on line {answered[line.custom_id]} already"
            if words:
                errors.append(BatchLine(number, line.custom_id, error=DecodeError(words, line=number)))
                continue
            rows.add(matrix.values, file.tell() / max(total, 1))
            if first is None:
                first = matrix
                plain = PlainLines.like(decoder, matrix)
            ids += [line.custom_id] * len(matrix)
            usage += line.response.usage
    if first is None:
        empty = np.empty((0, decoder.width or 0), decoder.dtype.numpy_dtype)
        return BatchResult(ids, decoder.typed(empty, decoder.dimension or 0), errors, usage)
    return BatchResult(ids, replace_values(first, rows.matrix()), errors, usage)
