"""Batch files: JSON lines, one request or answer each, in memory bounded by the longest line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._native.response.hints import misread
from ..._native.response.layout import BOM, LIST, STRING
from ...dtypes import EncodingFormat, Nulls, OutputDtypeLike
from ...embeddings import Embeddings, replace_values
from ...errors import DecodeError
from ...profiles import Profile
from ...words import shows_progress
from ..body import kind_of_bytes
from ..decoder import Decoder, decoder_for
from ..service import Usage
from .errors import BatchErrors
from .forms import USUAL, LineDecoder
from .lines import LIST_OF_LINES, MOST_LINE_BYTES, BatchLine, is_cut, words_of_dimension, words_of_twin
from .plain import PlainLines
from .result import BatchResult
from .rows import GrowingRows
from .source import BUFFER, Lines, Source

Progress = Callable[[int, int], object]

_OVER_LINES = re.compile(rb"(?:\xef\xbb\xbf)?[{\[]\r?\n[ \t]")  # as no two lines of a batch file are
_LIST = re.compile(rb"(?:\xef\xbb\xbf)?\[[ \t]*\r?\n")


@shows_progress("reading")
def iter_batch(
    path: Lines,
    *,
    output_dtype: OutputDtypeLike = "float",
    dimension: int | None = None,
    profile: str | Profile = "mistral",
    nulls: Nulls = "error",
    progress: Progress | bool | None = None,
    max_line_bytes: int = MOST_LINE_BYTES,
    max_bytes: int | None = None,
) -> Iterator[BatchLine]:
    r"""Read the output file of a batch job, line by line.

    Mistral's and OpenAI's files are alike; the lines of Bedrock's, Gemini's and Vertex AI's jobs are read as well, by
    their own profiles where `profile` finds nothing in them, and so are bare bodies, a line each, and pairs of a
    request and its answer. Lines may stand in any order; blank ones are passed over; a line that cannot be read, a last
    one cut short included (``breaks_off``), is an error among the data, and so is one whose custom_id an earlier line
    has answered. Of the lines before, their ids alone are in memory, about 150 bytes each.

    Parameters
    ----------
    path : path-like or binary file
        The file, or a stream such as ``sys.stdin.buffer``. It may be zipped (gzip, zstd) and in UTF-8 or UTF-16.
    output_dtype, dimension, profile, nulls
        As for :func:`~embcodec.decode_response`.
    progress : callable or True, optional
        Called with the bytes read and the bytes there are (0 of a stream, which does not tell), as lines are read.
        True: a bar, as a client's.
    max_line_bytes : int
        A longer line is an error among the data, and never in memory.
    max_bytes : int, optional
        What a zipped file may come to: where it is more, the lines behind are an error among the data. By default the
        larger of 64 MiB and 64 times what is read of the file.

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
    decoder = LineDecoder(decoder_for(output_dtype, dimension, profile, nulls), max_line_bytes)
    source, number = Source(path, max_line_bytes, max_bytes), 0
    answered: dict[str | None, int] = {}  # the line of every id
    with closing(source):
        foreign = source_of_no_lines(source)
        if foreign is not None:
            yield foreign
            return
        while (text := source.read()) != b"":
            number += 1
            if callable(progress):
                progress(source.done(source.file.tell()), source.total)
            line = decoder.line(number, text)
            if line is not None:
                words = _twin(line, answered)
                yield _with_end(_refused(line, words) if words else line, text)
        if source.fault:
            yield _fault(source, number)


def _twin(line: BatchLine, answered: dict[str | None, int]) -> str:
    """Return what is wrong with an answer whose id is that of another one, "" where it is not; it is noted."""
    if line.response is None or line.custom_id is None:
        return ""
    before = answered.setdefault(line.custom_id, line.line)
    return words_of_twin(line.custom_id, before) if before != line.line else ""


def _refused(line: BatchLine, words: str) -> BatchLine:
    return BatchLine(line.line, line.custom_id, error=DecodeError(words, line=line.line))


def _with_end(line: BatchLine, text: bytes | bytearray | None) -> BatchLine:
    """Return a line, which says so where the file ends in the middle of it."""
    is_broken = isinstance(line.error, DecodeError) and is_cut(text)
    return replace(line, breaks_off=True) if is_broken else line


def _fault(source: Source, number: int) -> BatchLine:
    """Return what is wrong with a file whose lines behind the first `number` cannot be had."""
    return BatchLine(number + 1, None, error=DecodeError(source.fault, line=number + 1), breaks_off=True)


def source_of_no_lines(source: Source) -> BatchLine | None:
    """Return an error for a file that holds no text in UTF-8, so that its lines mean nothing."""
    start = source.head
    kind = kind_of_bytes(start)
    if not source.fault and _OVER_LINES.match(start):
        words = (
            "no lines of JSON: the file is one document over several lines, which decode_response reads if it is a body"
        )
        return BatchLine(1, None, error=DecodeError(words, offset=0, line=1), breaks_off=True)
    if not source.fault and _LIST.match(start):
        words = f"no lines of JSON: the file is one list over several lines, {LIST_OF_LINES}"
        return BatchLine(1, None, error=DecodeError(words, offset=0, line=1), breaks_off=True)
    if source.fault or start.startswith(BOM) or kind in ("no JSON", "empty", "HTML or XML", "a stream of events"):
        return None
    words = f"no lines of JSON: the file is {kind}"
    return BatchLine(1, None, error=DecodeError(words, offset=0, line=1), breaks_off=True)


@shows_progress("decoding")
def decode_batch(
    path: Lines,
    *,
    out: NDArray[Any] | None = None,
    progress: Progress | bool | None = None,
    output_dtype: OutputDtypeLike = "float",
    dimension: int | None = None,
    profile: str | Profile = "mistral",
    nulls: Nulls = "error",
    max_line_bytes: int = MOST_LINE_BYTES,
    max_bytes: int | None = None,
    threads: int | None = None,
) -> BatchResult:
    r"""Read the output file of a batch job into one matrix.

    Parameters
    ----------
    path : path-like or binary file
        As for :func:`iter_batch`.
    out : ndarray, optional
        Where to put the rows, C-contiguous (n, width) of the dtype's elements, with room for all of them: a
        ``numpy.memmap`` keeps even the result out of memory. By default a new array.
    progress : callable or True, optional
        Called with the bytes read and the bytes there are (0 of a stream, which does not tell), as lines are read.
        True: a bar, as a client's.
    output_dtype, dimension, profile, nulls
        As for :func:`~embcodec.decode_response`; the first answer settles a dimension that is not given.
    max_line_bytes : int
        A longer line is an error among the data, and never in memory.
    max_bytes : int, optional
        What a zipped file may come to: where it is more, the lines behind are an error among the data. By default the
        larger of 64 MiB and 64 times what is read of the file.
    threads : int, optional
        By default as many as pay. The result does not depend on it. Each takes about 6 MB, and 12 where lines have
        more than half a megabyte.

    Returns
    -------
    BatchResult
        Failures are data in it: ``errors``; a line whose custom_id an earlier one has answered is one of them. A file
        that is cut or damaged gives the rows before that, and has ``broken_off``.

    Raises
    ------
    ValueError
        Where `out` does not fit.
    DecodeError
        Where the rows of no line tell, but all of them together do, that they are of another dtype.

    Examples
    --------
    >>> import io
    >>> from embcodec import decode_batch
    >>> answer = b'{"custom_id": "a", "response": {"status_code": 200, "body": {"data": [{"embedding": [1.0, 2.0]}]}}}'
    >>> failed = b'{"custom_id": "b", "error": {"message": "too long"}}'
    >>> result = decode_batch(io.BytesIO(answer + b"\n" + failed + b"\n"))
    >>> result.custom_ids, result.embeddings.values.tolist(), [line.custom_id for line in result.errors]
    (['a'], [[1.0, 2.0]], ['b'])
    """
    decoder = decoder_for(output_dtype, dimension, profile, nulls)
    reader = LineDecoder(decoder, max_line_bytes, threads)
    rows = GrowingRows(out)
    ids: list[str | None] = []
    answered: dict[str | None, int] = {}  # the line of every id
    errors = BatchErrors()
    usage = Usage()
    first: Embeddings | None = None
    kind = LIST  # of the first answer's vectors
    source, number = Source(path, max_line_bytes, max_bytes, threads), 0
    many = max_line_bytes >= BUFFER  # the lines that PlainLines reads are no longer
    plain: PlainLines | None = None
    with closing(source):
        file, total = source.file, source.total
        foreign = source_of_no_lines(source)
        if foreign is not None:
            errors.append(foreign)
        elif many:
            plain = PlainLines.like(decoder, errors)
        while foreign is None:
            while plain is not None and (found := plain.read(file, number, answered)) is not None:
                if callable(progress):
                    for end in found.ends:
                        progress(source.done(end), total)
                number += len(found.ends)
                if found.custom_ids:
                    rows.add(found.values, source.part)
                ids += found.custom_ids
                usage += found.usage
            text = source.read()
            if text == b"":
                break
            number += 1
            if callable(progress):
                progress(source.done(file.tell()), total)
            line = reader.line(number, text)
            if line is None:
                continue
            if line.response is None:
                errors.append(_with_end(line, text))
                continue
            matrix = line.response.embeddings
            words = ""
            if first is not None and matrix.dimension != first.dimension:
                words = words_of_dimension(matrix.dimension, first.dimension)
            if words := words or _twin(line, answered):
                errors.append(_refused(line, words))
                continue
            rows.add(matrix.values, source.part)
            if first is None:
                first = matrix
                kind = STRING if line.response.encoding_format is EncodingFormat.BASE64 else LIST
                if many and reader.form is USUAL:
                    plain = None if source.ends_here else PlainLines.like(decoder, errors, matrix, kind, source)
            ids += [line.custom_id] * len(matrix)
            usage += line.response.usage
        if source.fault:
            errors.append(_fault(source, number))
    if first is None:
        empty = np.empty((0, decoder.width or 0), decoder.dtype.numpy_dtype)
        return BatchResult(ids, decoder.typed(empty, decoder.dimension or 0), errors, usage)
    values = rows.matrix()
    if len(values) > len(first):  # what the rows of no line may tell
        _refuse_misread(values, decoder, kind)
    return BatchResult(ids, replace_values(first, values), errors, usage)


def check_together(
    rows: Embeddings, encoding_format: EncodingFormat | None, profile: str | Profile, dimension: int | None = None
) -> None:
    """Refuse rows of many lines that together tell that they are of another dtype, which none does alone.

    Raises
    ------
    DecodeError
    """
    kind = STRING if encoding_format is EncodingFormat.BASE64 else LIST
    _refuse_misread(rows.values, decoder_for(rows.output_dtype, dimension, profile, "error"), kind)


def _refuse_misread(values: NDArray[Any], decoder: Decoder, kind: int) -> None:
    if wrong := misread(values, decoder.layout("response.body."), kind):
        raise DecodeError(f"all rows together are {wrong[1]}")
