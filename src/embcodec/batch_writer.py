"""Input files of batch jobs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Literal

from .storage_atomic import replacing

OPENAI_MOST_REQUESTS = 50_000


def write_batch(
    path: str | os.PathLike[str],
    texts: Iterable[str],
    *,
    model: str | None = None,
    style: Literal["mistral", "openai"] = "mistral",
    custom_ids: Sequence[str] | None = None,
    inputs_per_line: int = 1,
    **fields: Any,
) -> int:
    """Write the input file of a batch job; the old file is replaced only once the new one is whole.

    Parameters
    ----------
    path : path-like
    texts : iterable of str
    model : str, optional
        Needed by OpenAI's style; Mistral's jobs name the model outside the file.
    style : {"mistral", "openai"}
    custom_ids : sequence of str, optional
        One a line; by default the line's number, from 0.
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
        Where `custom_ids` repeat, are too few or too many, or OpenAI's file has no model or too many requests.

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
    if style not in ("mistral", "openai"):
        raise ValueError(f"style is 'mistral' or 'openai', not {style!r}")
    if style == "openai" and model is None:
        raise ValueError("OpenAI's batch files name the model in every line: give model=")
    if isinstance(texts, str):
        raise TypeError("texts are several strings, not one")
    if inputs_per_line < 1:
        raise ValueError(f"inputs_per_line must be at least 1, not {inputs_per_line}")
    if custom_ids is not None and len(set(custom_ids)) != len(custom_ids):
        raise ValueError("custom_ids repeat")
    body = {"model": model, **fields} if style == "openai" else dict(fields)
    around = {"method": "POST", "url": "/v1/embeddings"} if style == "openai" else {}
    count = 0
    remaining = iter(texts)
    with replacing(path) as file:
        while inputs := list(islice(remaining, inputs_per_line)):
            if custom_ids is not None and count >= len(custom_ids):
                raise ValueError(f"{len(custom_ids)} custom_ids are too few")
            if style == "openai" and count >= OPENAI_MOST_REQUESTS:
                raise ValueError(f"OpenAI takes at most {OPENAI_MOST_REQUESTS} requests a file: raise inputs_per_line")
            if not all(isinstance(text, str) for text in inputs):
                raise TypeError(f"line {count + 1} has inputs that are not str")
            custom_id = str(count) if custom_ids is None else custom_ids[count]
            line = {"custom_id": custom_id, **around, "body": {**body, "input": inputs}}
            file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
            count += 1
        if custom_ids is not None and count < len(custom_ids):
            raise ValueError(f"{len(custom_ids)} custom_ids are too many for {count} lines")
    return count
