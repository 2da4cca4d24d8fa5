"""Words for a body in which no vectors are where the profile has them: what is there, and what would read it.

Of the body's text only names of keys get into the words: the rest may be private.
"""

from __future__ import annotations

import json
import re
from operator import attrgetter
from typing import Any

from ..dtypes import OutputDtype, OutputDtypeLike
from ..errors import DecodeError
from ..profiles import PROFILES, Profile

_MOST_KEYS, _KEY_LENGTH = 6, 40
# Words such as INVALID_ARGUMENT, which have only characters of base64.
_WORDS = re.compile(r"[A-Z]+(_[A-Z]+)+|[a-z]+([_-][a-z]+)*")
_BEYOND = "a number out of the type's range"
_TWINS = {"int8": "uint8", "uint8": "int8", "binary": "ubinary", "ubinary": "binary"}
_BYTE = re.compile(rb"-?[0-9]{1,3}(?![0-9.eE])")
_SPARSE = "a sparse vector, which is not read"
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_LONGEST_ROW = 1 << 20  # bytes: what is longer, where a vector should be, is not looked at
_scan: Any = json.JSONDecoder().raw_decode
_TEXT_LENGTH = 300  # of a service's words that an error shows
_DEPTH = 3  # the search for vectors elsewhere goes this many keys deep to a list of rows, and in a row to its vector


def no_strings(profile: Profile, output_dtype: OutputDtype) -> str:
    """Say why a string cannot be a vector of this service and dtype; an empty text where it can, as base64."""
    if profile.base64_payload == "none":
        return f"text where a vector is wanted: {profile.name!r} writes no base64; numbers in hexadecimal are not read"
    if output_dtype is OutputDtype.FLOAT and not profile.has_floats:
        codes = " or ".join(map(repr, profile.dtype_names))
        return f"base64 of {profile.name!r} carries codes, never floats: say output_dtype={codes}"
    if output_dtype is not OutputDtype.FLOAT and profile.base64_payload != "codes":
        return "base64 of this service carries float32, not codes: say output_dtype='float'"
    return ""


def missing_rows(profile: Profile, output_dtype: OutputDtypeLike, document: Any) -> str:
    """Say where vectors were looked for, what is there, and what reads such a body."""
    path = _path(profile, output_dtype)
    words = "no list of embeddings " + (f"at {'.'.join(path)!r}" if path else "as the body")
    if not isinstance(document, dict):
        return f"{words}: {_said_of_value(document, profile)}"
    if not document:
        return f"{words}: the body is empty, {{}}"
    node, depth = _walk(document, path)
    if isinstance(node, dict):
        keys = [repr(key[:_KEY_LENGTH]) for key in node][:_MOST_KEYS]
        more = f" and {len(node) - _MOST_KEYS} more" if len(node) > _MOST_KEYS else ""
        inside = f"{'.'.join(path[:depth])!r}" if depth else "the body"
        words += f": {inside} has the keys {', '.join(keys)}{more}" if keys else f": {inside} has no keys"
    if "{dtype}" in profile.rows:
        dtype = next((dtype for dtype in OutputDtype if _fits(profile, dtype, document)), None)
        if dtype is not None:
            return f"{words}: say output_dtype={str(dtype)!r}, which is there"
    other = next((name for name, known in _alike(profile) if _fits(known, output_dtype, document)), None)
    if other is not None:
        return f"{words}, as with profile={other!r}"
    if "custom_id" in document and not _vector_alone(document):
        return f"{words}: a line of a batch file, which decode_batch(path) reads"
    members = _rows_by_name(document)
    if members:
        made = f"json.dumps({{'data': list(json.loads(body)[{']['.join(map(repr, members))}].values())}})"
        return f"{words}: each member of {'.'.join(members)!r} is a row; {made} is the list that is read"
    place = _rows_elsewhere(document)
    if place is not None:
        return f"{words}; {_reader_of(profile, *place)} reads such a body"
    tensors = next((key for key, value in document.items() if isinstance(value, list) and _is_flat(value)), None)
    if tensors is not None:
        way = "np.reshape(tensor['data'], tensor['shape'])"
        return f"{words}; tensors with their shape are at {tensors[:_KEY_LENGTH]!r}: {way} is each of them"
    alone = _vector_alone(document)
    if alone:
        return f"{words}: a single vector, in no list, is at {alone!r}; {_reader_of(profile, alone, None)} reads it"
    return words


def _alike(profile: Profile) -> list[tuple[str, Profile]]:
    """Return the profiles that read bytes and bits as another does: by others the same payload is other numbers."""
    by = attrgetter("base64_dtype", "byte_order", "signed_bytes", "bit_order", "bits_as_numbers")
    return [(name, known) for name, known in PROFILES.items() if by(known) == by(profile)]


def _reader_of(profile: Profile, rows: str, item: str | None) -> str:
    """Return what to pass to have vectors read from a place: the profiles that look there, and one made for it."""
    names = [name for name, known in _alike(profile) if (rows, item) in known.others]
    if item is None and "." in rows:  # the vector of an object that stands alone
        names += [name for name, known in _alike(profile) if tuple(rows.split(".", 1)) in known.others]
    made = f"dataclasses.replace(profile, rows={rows!r}, item={item!r})"
    return f"profile={names[0]!r} or {made}" if names else made


def words_of_text(text: str, reader: str) -> str:
    """Say what a body is that is a JSON string, which `reader` reads: JSON by itself, or a service's words."""
    if not text:
        return "the body is an empty text"
    try:
        is_json = isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        is_json = False
    if is_json:
        return f"the body is JSON within a JSON string: decode_response({reader}) reads it"
    return f"the body is a text: {text[:_TEXT_LENGTH]}{' ...' if len(text) > _TEXT_LENGTH else ''}"


def _said_of_value(document: Any, profile: Profile) -> str:
    """Say what a body is that is no JSON object."""
    if isinstance(document, str):
        return words_of_text(document, "json.loads(body)")
    if not isinstance(document, list):
        return f"the body is {'null' if document is None else 'one ' + type(document).__name__}"
    if not document:
        return "the body is an empty list"
    place = _item_of(document)
    if place is not None:
        return f"the body is itself the list: {_reader_of(profile, '', place[0])} reads it"
    if isinstance(document[0], int | float):
        return f"the body is a single vector, in no list: {_reader_of(profile, '', None)} reads it"
    return "the body is a list, but not of vectors"


def _path(profile: Profile, output_dtype: OutputDtypeLike) -> list[str]:
    """Return the keys that lead to a profile's list of rows; none where the body itself is the list."""
    rows = profile.rows.replace("{dtype}", profile.dtype_name(output_dtype))
    return rows.split(".") if rows else []


def _walk(body: dict[str, Any], path: list[str]) -> tuple[Any, int]:
    """Follow a path as far as it goes: return the object or list where it ends, and how many of its keys were there."""
    node: Any = body
    for depth, key in enumerate(path):
        if not isinstance(node, dict) or key not in node or not isinstance(node[key], dict | list):
            return node, depth
        node = node[key]
    return node, len(path)


def _fits(profile: Profile, output_dtype: OutputDtypeLike, body: dict[str, Any]) -> bool:
    """Whether another profile would find rows in this body, in a list of its own and with its key for a vector."""
    path = _path(profile, output_dtype)
    node, depth = _walk(body, path)
    if depth != len(path) or not path:
        return False
    place = _item_of(node if profile.item is not None or not _is_vector(node) else [node])
    return place is not None and place[0] == profile.item


def _rows_elsewhere(body: dict[str, Any]) -> tuple[str, str | None] | None:
    """Look for a list of rows anywhere near the top: return the path to it, and the path from a row to its vector.

    Both are keys joined by points, as a profile has them in `rows` and `item`. All objects of a depth are looked at
    before the next depth, at most 64 of each. A key with a point in it could not be named so, and is passed over.
    """
    level: list[tuple[str, Any]] = [("", body)]
    for _ in range(_DEPTH):
        below = []
        for path, node in level:
            for key, value in node.items():
                place = _item_of(value)
                if place is not None and "." not in key:
                    return f"{path}{key}", place[0]
                if isinstance(value, dict) and "." not in key:
                    below.append((f"{path}{key}.", value))
        level = below[:64]
    return None


def _item_of(value: Any) -> tuple[str | None] | None:
    """Return the path from a row of a list to its vector, judged by the first row, in a tuple of one.

    The tuple holds None where the rows are the vectors themselves; None instead of a tuple means no list of rows.
    """
    if not isinstance(value, list) or not value or _is_flat(value):
        return None
    row = value[0]
    if _is_vector(row):
        return (None,)
    path: list[str] = []
    while isinstance(row, dict) and len(path) < _DEPTH:
        key = next((k for k, v in row.items() if _is_vector(v)), None)
        inner = key or next((k for k, v in row.items() if isinstance(v, dict)), None)
        if inner is None or "." in inner:
            return None
        path.append(inner)
        row = row[inner]
        if key:
            return (".".join(path),)
    return None


def _is_flat(value: list[Any]) -> bool:
    """Whether objects of a list are tensors, whose numbers lie in one list whatever their shape."""
    return bool(value) and isinstance(value[0], dict) and {"shape", "data"} <= value[0].keys()


def _rows_by_name(body: dict[str, Any]) -> list[str]:
    """Return the keys that lead to an object each of whose members is a row, under its number or its id; else none."""
    node: Any = body
    path: list[str] = []
    for _ in range(_DEPTH):
        inner = next((key for key, value in node.items() if isinstance(value, dict)), None)
        if inner is None:
            return []
        path.append(inner)
        node = node[inner]
        rows = list(node.values())
        if len(rows) > 1 and all(isinstance(row, dict) and _vector_alone(row) for row in rows):
            return path
        if len(rows) > 1 and all(map(_is_vector, rows)) and all(key.isdecimal() for key in node):
            return path
    return []


def row_words(error: DecodeError, text: bytes | memoryview, profile: Profile, output_dtype: OutputDtype) -> DecodeError:
    """Return an error of a row in which no vector is where it should be, with a word on what is there and reads it.

    The error's place is the row, where it lacks its vector, or what stands in the vector's place.
    """
    if error.reason == _BEYOND and output_dtype in _TWINS and error.offset is not None:
        found = _BYTE.match(bytes(text[error.offset : error.offset + 8]))
        if found is None or not -128 <= int(found[0]) <= 255:
            return error
        words = f"{_BEYOND}: of {_TWINS[output_dtype]} codes say output_dtype={_TWINS[output_dtype]!r}"
        return DecodeError(words, offset=error.offset, row=error.row, line=error.line)
    lacks, sparse = error.reason.startswith("no '"), error.reason.startswith("an object among")
    if error.row is None or error.offset is None or not (lacks or sparse or error.reason.startswith("neither a list")):
        return error
    try:
        node, _ = _scan(bytes(text[error.offset : error.offset + _LONGEST_ROW]).decode("utf-8", "ignore"))
    except (ValueError, RecursionError):
        return error
    if sparse:
        first = node[0] if isinstance(node, list) and node else node
        if not (isinstance(first, dict) and {"index", "value"} <= first.keys()):
            return error
        return DecodeError(f"{error.reason}: {_SPARSE}", offset=error.offset, row=error.row, line=error.line)
    if not isinstance(node, dict):
        return error
    words = _words_of_row(node, "" if lacks else profile.item or "", profile, output_dtype)
    tokens = next((key for key, value in node.items() if lacks and _is_matrix(value)), None)
    if tokens is not None:
        keys = "".join(f"[{key!r}]" for key in [*_path(profile, output_dtype), error.row, tokens])
        words += f"; Embeddings(json.loads(body){keys}) has those of one text"
    return DecodeError(f"{error.reason}: {words}", offset=error.offset, row=error.row, line=error.line)


def _words_of_row(node: dict[str, Any], item: str, profile: Profile, output_dtype: OutputDtype) -> str:
    """Say what an object has that stands where a row does, or at `item` in one."""
    words = f"the keys are {', '.join(repr(key[:_KEY_LENGTH]) for key in list(node)[:_MOST_KEYS])}"
    if not node:
        return "an object without keys"
    if {"indices", "values"} <= node.keys():
        return f"{words}: {_SPARSE}"
    if node.get("object") == "embeddings" or any(map(_is_matrix, node.values())):
        return f"{words}: a vector a token, as models of late interaction give, is no row"
    groups = next((key for key, value in node.items() if _item_of(value) not in (None, (None,))), None)
    if groups is not None:
        path = "".join(f"[{key!r}]" for key in _path(profile, output_dtype))
        made = f"json.dumps({{'data': [row for group in json.loads(body){path} for row in group[{groups!r}]]}})"
        return f"{words}: rows in groups; {made}, read with ignore_index=True in the profile, has all of them"
    found = [key for key in node if _vector_alone({key: node[key]})]
    names = {profile.dtype_name(dtype): str(dtype) for dtype in OutputDtype}
    asked = profile.dtype_name(output_dtype)
    key = asked if asked in found else next((key for key in found if key not in names), None)
    if key is not None:
        path = _vector_alone({key: node[key]})
        return f"{words}; dataclasses.replace(profile, item={f'{item}.{path}'.removeprefix('.')!r}) reads such rows"
    if found:
        path = f"{item}.{found[0]}".removeprefix(".")
        return f"{words}; say output_dtype={names[found[0]]!r}, and item={path!r} in the profile, for what is there"
    return words


def _is_matrix(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], list)


def _vector_alone(body: dict[str, Any]) -> str:
    """Return the path to a vector that is in no list, keys joined by points; an empty text where there is none."""
    node: Any = body
    path: list[str] = []
    for _ in range(_DEPTH):
        key = next((k for k, v in node.items() if _is_vector(v)), None)
        inner = key or next((k for k, v in node.items() if isinstance(v, dict)), None)
        if inner is None:
            return ""
        path.append(inner)
        if key:
            return ".".join(path)
        node = node[inner]
    return ""


def _is_vector(value: Any) -> bool:
    """Whether a value is a list of numbers, or text that may be base64."""
    if isinstance(value, str):
        is_base64 = len(value) >= 16 and len(value) % 4 == 0 and _BASE64.fullmatch(value) is not None
        return is_base64 and _WORDS.fullmatch(value) is None
    return isinstance(value, list) and bool(value) and type(value[0]) in (int, float)
