"""Input files of batch jobs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np

from ...containers import replacing
from ...dtypes import BATCH_STYLES, BatchStyle
from ...words import as_iterable, as_path, as_whole, one_of, shown
from ..codings import zipped

OPENAI_MOST_REQUESTS = 50_000


def write_batch(
    path: str | os.PathLike[str],
    texts: Iterable[str],
    *,
    model: str | None = None,
    style: BatchStyle = "mistral",
    custom_ids: Iterable[str | int] | None = None,
    inputs_per_line: int = 1,
    **fields: object,
) -> int:
    """Write the input file of a batch job; the old file is replaced only once the new one is whole.

    Parameters
    ----------
    path : path-like
        Zipped where its name ends with ``.gz`` or ``.zst``; most services take plain lines.
    texts : iterable of str
    model : str, optional
        Needed by OpenAI's style; Mistral's jobs name the model outside the file.
    style : {"mistral", "openai"}
    custom_ids : iterable of str, optional
        One a line; by default the line's number, from 0. Whole numbers are written as text, which services want.
    inputs_per_line : int
    **fields
        More of the request's body: ``output_dtype="int8"``, ``dimensions=256``, ...

    Returns
    -------
    int
        The number of lines.

    Raises
    ------
    ValueError
        Where `custom_ids` repeat, are too few or too many, or OpenAI's file has no model or too many requests; where
        a text has half of a surrogate pair, which UTF-8 cannot hold, or a field a NaN or infinity, which JSON has not.
    TypeError
        Where a text is no str, or a field or an id nothing that JSON has.
    StorageError
        Where the name asks for a compression that is not written, or whose package is not installed.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp(), "in.jsonl")
    >>> write_batch(path, ["a", "b", "c"], inputs_per_line=2)
    2
    >>> print(path.read_text(), end="")
    {"custom_id":"0","body":{"input":["a","b"]}}
    {"custom_id":"1","body":{"input":["c"]}}
    """
    one_of(style, BATCH_STYLES, "style")
    if not (model is None or isinstance(model, str)):
        raise TypeError(f"model is the name of a model, not {shown(model)}")
    if style == "openai" and model is None:
        raise ValueError("OpenAI's batch files name the model in every line: give model=")
    if "input" in fields:
        raise ValueError("the input of each line is what texts has: leave out input=")
    if isinstance(texts, str):
        raise TypeError("texts are several strings, not one")
    inputs_per_line, path = min(as_whole(inputs_per_line, "inputs_per_line", 1), sys.maxsize), as_path(path)
    ids = None if custom_ids is None else _ids(custom_ids)
    body = _plain({"model": model, **fields} if style == "openai" else dict(fields))
    around = {"method": "POST", "url": "/v1/embeddings"} if style == "openai" else {}
    count = 0
    remaining = iter(_several(texts, "texts"))
    with replacing(path) as plain, zipped(plain, path) as file:
        while inputs := list(islice(remaining, inputs_per_line)):
            if ids is not None and count >= len(ids):
                raise ValueError(f"{len(ids)} custom_ids are too few")
            if style == "openai" and count >= OPENAI_MOST_REQUESTS:
                raise ValueError(f"OpenAI takes at most {OPENAI_MOST_REQUESTS} requests a file: raise inputs_per_line")
            if not all(isinstance(text, str) for text in inputs):
                raise TypeError(f"line {count + 1} has inputs that are not str")
            custom_id = str(count) if ids is None else ids[count]
            line = {"custom_id": custom_id, **around, "body": {**body, "input": inputs}}
            try:
                text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
            except UnicodeEncodeError:
                raise ValueError(_surrogate(inputs, custom_id, count, inputs_per_line)) from None
            file.write(text + b"\n")
            count += 1
        if ids is not None and count < len(ids):
            raise ValueError(f"{len(ids)} custom_ids are too many for {count} lines")
    return count


def _several(strings: Any, name: str) -> Iterable[Any]:
    if isinstance(strings, str):
        raise TypeError(f"{name} are several strings, not one")
    if isinstance(strings, set | frozenset):
        raise TypeError(f"{name} are several strings, as a list, not {shown(strings)}")
    return as_iterable(strings, name, "several strings")


def _ids(custom_ids: Iterable[str | int]) -> list[str]:
    """Return the ids as text, after a check that there are no two alike."""
    ids: list[str] = []
    seen: dict[str, int] = {}
    for place, custom_id in enumerate(_several(custom_ids, "custom_ids")):
        if isinstance(custom_id, bool) or not isinstance(custom_id, str | int | np.integer):
            raise TypeError(f"custom_ids[{place}] is {shown(custom_id)}: an id is text, or a whole number")
        text = custom_id if isinstance(custom_id, str) else str(int(custom_id))
        if seen.setdefault(text, place) != place:
            raise ValueError(f"custom_ids repeat: {text[:80]!r} is at {seen[text]} and {place}")
        ids.append(text)
    return ids


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Return a request's fields as JSON has them: NumPy's numbers and arrays become Python's."""
    try:
        text = json.dumps(fields, allow_nan=False, default=_of_numpy)
    except RecursionError:
        raise ValueError("a field of the request is nested too deep") from None
    except ValueError as error:
        raise ValueError(f"a field of the request is no JSON: NaN and Infinity have no place there ({error})") from None
    except TypeError as error:
        raise TypeError(f"a field of the request is no JSON: {error}") from None
    plain: dict[str, Any] = json.loads(text)
    return plain


def _of_numpy(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no form in it")


def _surrogate(inputs: list[str], custom_id: str, line: int, inputs_per_line: int) -> str:
    """Say which text has half of a surrogate pair."""
    for place, text in enumerate(inputs):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return (
                f"text {line * inputs_per_line + place} (line {line + 1}) has half of a surrogate pair, "
                f"{text[error.start]!r} at character {error.start}: text.encode('utf-8', 'replace').decode() is without"
            )
    return f"custom_id {custom_id[:80]!a} (line {line + 1}) or a field has half of a surrogate pair"
