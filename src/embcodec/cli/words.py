"""The library's words in those of the command line: options for arguments, and which command reads what."""

from __future__ import annotations

import re
from pathlib import Path

import click

from ..words import closest, printable

_OPTIONS = {
    "output_dtype": "--dtype",
    "dimension": "--dimension",
    "profile": "--profile",
    "nulls": "--nulls",
    "scale": "--scale",
    "metric": "--metric",
    "encoding_format": "--encoding",
    "queries": "--queries",
    "dimensions": "--dimension",
    "threads": "--threads",
    "model": "--model",
    "base_url": "--base-url",
    "column": "--column",
    "id_column": "--id-column",
    "rescore_with": "--rescore-with",
    "float_dtype": "--float-dtype",
    "base64_dtype": "--base64-dtype",
    "byte_order": "--byte-order",
    "rows": "--rows",
    "item": "--item",
    "k": "-k",
    "sample": "--sample",
    "rotation": "--rotation",
    "bytes_per_vector": "--bytes",
    "ignore_index": "--ignore-index",
    "bits_as_numbers": "--bits-as-numbers",
}
# What Python says of a profile and a command says with the options that change one.
_PHRASES = (
    (r"a profile with (\w+='\w+') or '(\w+)'", r"\1 or '\2'"),
    (r"dataclasses\.replace\(profile, ([^)]*)\)", r"\1"),
    (r",? in the profile", ""),
    (r"\brows='([^']*)', item=None", r"--rows '\1' --item ''"),
    (r"\brows='([^']*)', item='", r"--rows '\1' item='"),
    (r"decode_batch\(path\)", "embcodec batch"),
    (r"\bdecode_response\b", "embcodec decode"),
    (r"gzip\.decompress undoes", "`gunzip` undoes"),
    (r"lzma\.decompress undoes", "`unxz` undoes"),
    (r"bz2\.decompress undoes", "`bunzip2` undoes"),
    (r"embcodec\.load reads it", "`embcodec info` reads it"),
    (r"; json\.dumps\(.*\) is the list that is read", ", which a list of them would be"),
    (r"(?:;|:) (?:np\.reshape|Embeddings)\(.*\) (?:is each of them|has those of one text)", ""),
)
# What Python says of a file, or of the rows in it, and what a command says.
_READERS = (
    (r"\bdecode_batch\(path\)", "`embcodec batch`"),
    (r"\bdecode_response\(Path\(path\)\.read_bytes\(\)\)", "`embcodec decode`"),
    (r"\bload_ids\(path\) reads", "`embcodec tradeoff --relevant` reads"),
    (r"\bCollection\.open\(path\) opens", "`embcodec search` asks"),
    (r"\bencode_response\(embeddings\) returns", "`embcodec encode` prints"),
    (r"normalize the rows, or use 'dot'", "bring the rows to unit length, or use --metric dot"),
    (r"\bFlatIndex\.load\(path\) reads it", "`embcodec search` asks it, as its CORPUS"),
)
_CALL = r"((?:Embeddings|from_arrow|from_faiss)\(\w+(?:\.\w+)*\(path(?:, \w+=\w+)?\)\))"
_IN_PYTHON = re.compile(rf"[;:] {_CALL} (?:takes|reads) [^;]*")
_ARGUMENT = re.compile(r"""\b([a-z][a-z0-9_]*)=(?:"([^"]*)"|'([^']*)'|(\.\.\.|[\w.-]*\w)|)""")
_VECTORS = {b"\x93NUMPY": ".npy", b"PK\x03\x04": ".npz", b"PAR1": ".parquet", b"\x89HDF": ".hdf5"}
_HEAD = 1 << 16
MAX_BYTES = "EMBCODEC_MAX_BYTES"
"""The environment variable that says how much memory a file may ask for."""


def in_options(text: str, command: click.Command | None) -> str:
    """Return `text` with the options of `command` in the place of arguments: ``--nulls nan`` for ``nulls='nan'``."""
    text = text.replace("Client.embed asks", "embcodec embed asks")
    text = _IN_PYTHON.sub(r"; in Python embcodec.save('rows.npy', embcodec.\1) makes a file that is known", text)
    text = text.replace("on_error='skip'", "--skip-errors")
    text = text.replace("pass max_bytes= of", f"set {MAX_BYTES}= to")
    known = {option for parameter in command.params for option in parameter.opts} if command is not None else set()
    for phrase, words in _PHRASES if "--base64-dtype" in known else ():
        text = re.sub(phrase, words, text)

    for phrase, words in _READERS:
        text = re.sub(phrase, words, text)

    def option(found: re.Match[str]) -> str:
        name = _OPTIONS.get(found[1])
        # In commands whose --dtype says what is made of the file.
        if name == "--dtype" and {"--bits", "--from-dtype"} <= known:
            name = "--from-dtype"
        if name not in known:
            return found[0]
        value = next((part for part in found.groups()[1:] if part), "")
        if value == "True":  # a flag
            return name
        return f"{name} {value}".rstrip()

    return _ARGUMENT.sub(option, text)


def words_of(error: Exception, command: click.Command | None = None) -> str:
    """Return what an error says, in one line."""
    if isinstance(error, UnicodeDecodeError):
        return not_utf8(error.object, error.start)
    if isinstance(error, OSError) and error.strerror:
        return printable(f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
    return printable(in_options(" ".join((str(error) or type(error).__name__).split()), command))


def not_utf8(text: bytes, offset: int) -> str:
    """Say of bytes that are not UTF-8 what they are, and what makes them so."""
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "the text is UTF-16, not UTF-8: `iconv -f UTF-16 -t UTF-8` converts it"
    return f"the text is not UTF-8 (byte {offset}): `iconv -t UTF-8 -f` and its encoding converts it"


def reader_of(head: bytes, path: str) -> str | None:
    """Return what is to be said of a file that begins with `head`, "-" for standard input; None if nothing is."""
    name, file = ("standard input", "FILE") if path == "-" else (path, path)
    if not head:
        return f"{name} is empty"
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return f"{name}: {not_utf8(head, 0)}"
    kind = next((suffix for magic, suffix in _VECTORS.items() if head.startswith(magic)), None)
    if kind is None and head[8:10] == b'{"':
        kind = ".safetensors"
    if kind is not None:
        way = f"`embcodec info {file}`" if file.endswith(kind) else f"`embcodec info`, once its name ends in {kind}"
        return f"{name} holds vectors, not a body: {way} reads it"
    lines = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 2)
    if not lines[0].startswith((b"{", b"[")):
        return None
    more = lines[1].lstrip() if len(lines) > 1 else b""
    if lines[0].startswith(b"{") and (more.startswith(b"{") or (b'"custom_id"' in lines[0] and not more)):
        return f"{name} holds the lines of a batch job: `embcodec batch {file} -o vectors.safetensors` reads it"
    return f"{name} holds JSON: `embcodec decode {path} -o vectors.safetensors` reads a response body"


def reader_of_file(path: Path) -> str | None:
    """Return :func:`reader_of` for a file; None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return reader_of(file.read(_HEAD), str(path))
    except OSError:
        return None


def did_you_mean(name: str, known: list[str]) -> str:
    """Return a question, with a blank before it, where `name` is much like a known name."""
    word = closest(name, known, 0.5)
    return f" Did you mean {word!r}?" if word else f" Known are {', '.join(known)}."
