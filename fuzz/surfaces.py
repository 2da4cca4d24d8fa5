"""What takes bytes from outside through Python: for each, sound inputs to start from, and how it is used.

HDF5 is not among them: what reads its bytes is another library's.

`run` may raise what the library says it raises (`EmbcodecError`; for a request `RefusalError`). Whatever else it raises
is a finding, as is a crash of the process or a report of the sanitizers.
"""

from __future__ import annotations

import gzip
import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import embcodec
from embcodec import Embeddings, FlatIndex, LowBitQuantizer

ROOM = Path(tempfile.mkdtemp(prefix="embcodec-fuzz-"))
VECTORS = np.random.default_rng(7).standard_normal((40, 24)).astype(np.float32)
CODES = [
    Embeddings(VECTORS),
    embcodec.quantize(VECTORS, "int8", scale="per-vector"),
    embcodec.quantize(VECTORS, "uint8", scale=embcodec.calibrate(VECTORS)),
    embcodec.quantize(VECTORS, "ubinary"),
    embcodec.quantize(VECTORS, "binary"),
]
COPIED = {"id": "bigint", "embedding": None, "title": "text", "price": "real", "meta": "jsonb"}


@dataclass(frozen=True)
class Parts:
    """A container: how to open it, and how to seal it so that what was changed inside is looked at."""

    open: Callable[[bytes], dict[str, bytes]]
    seal: Callable[[dict[str, bytes]], bytes]


@dataclass(frozen=True)
class Surface:
    """One way in: inputs to start from, and what a user does with an input."""

    seeds: Callable[[], list[bytes]]
    run: Callable[[bytes], object]  # what it returns tells outcomes apart
    parts: Parts | None = None  # of what is sealed by lengths or checksums: its parts are changed too


def in_file(suffix: str, use: Callable[[Path], object]) -> Callable[[bytes], object]:
    def run(data: bytes) -> object:
        path = ROOM / f"input{suffix}"
        path.write_bytes(data)
        return use(path)

    return run


def saved(suffix: str, write: Callable[[Path], object]) -> bytes:
    path = ROOM / f"seed{suffix}"
    write(path)
    return path.read_bytes()


def use_rows(rows: object) -> None:
    """Search what was loaded: a matrix that lies about itself reads beyond its memory here."""
    assert isinstance(rows, Embeddings | embcodec.LowBitCodes)
    if len(rows) and 0 < rows.dimension <= 4096:
        with suppress(ValueError):  # rows of NaN are loaded as they are, and have no scores
            embcodec.search(np.ones((2, rows.dimension), np.float32), rows, k=3)


def use_loaded(path: Path) -> None:
    for mmap in (False, True):
        use_rows(embcodec.load(path, mmap=mmap))


def use_quantizer(path: Path) -> None:
    quantizer = LowBitQuantizer.load(path)
    dimension = quantizer.scheme.dimension
    if dimension <= 4096:
        use_rows(quantizer.encode(np.ones((3, dimension), np.float32)))


def use_index(path: Path) -> None:
    index = FlatIndex.load(path)
    if len(index) and 0 < index.codes.dimension <= 4096:
        with suppress(ValueError):
            index.search(np.ones((2, index.codes.dimension), np.float32), k=3)


def use_batch(path: Path) -> object:
    lines = [str(line.error)[:60] if line.response is None else "rows" for line in embcodec.iter_batch(path)]
    with suppress(embcodec.DecodeError):
        lines.append(repr(embcodec.decode_batch(path))[:60])
    return sorted(set(lines))


def use_copy(data: bytes) -> None:
    use_rows(embcodec.read_pgcopy(io.BytesIO(data), COPIED).embeddings)


def use_octets(data: bytes) -> None:
    head, _, body = data.partition(b"\n")
    embcodec.decode_octets(body, head)


def use_request(data: bytes) -> object:
    from embcodec.server.request import RefusalError, parse_request

    said = []
    for lenient in (False, True):
        try:
            parse_request(data, lenient=lenient)
        except RefusalError as refusal:
            said.append(json.dumps(refusal.body)[:60])
    return said


def use_body(data: bytes) -> None:
    profiles = sorted(embcodec.PROFILES)
    dtypes = ("float", "int8", "uint8", "binary", "ubinary")
    profile, dtype = profiles[data[0] % len(profiles)] if data else "mistral", dtypes[len(data) % 5]
    embcodec.decode_response(
        data[1:], output_dtype=dtype, profile=profile, nulls="nan" if dtype == "float" else "error"
    )


def use_arguments(data: bytes) -> object:
    """Bytes become arrays of any type and shape, and go to what searches and quantizes."""
    if len(data) < 8:
        return None
    dtypes = (np.float32, np.float64, np.float16, np.int8, np.uint8, np.int64, ">f4", "c8", "M8[s]", "?", "S3", "O")
    shape = (
        (data[1] % 9, data[2] % 33) if data[0] & 1 else ((data[1] % 9, data[2] % 9, 2) if data[0] & 2 else (data[2],))
    )
    array = np.resize(np.frombuffer(data[8:] + bytes(16), np.uint8), 4096).view(np.float32)
    with np.errstate(all="ignore"):
        matrix = np.resize(array, shape).astype(dtypes[data[3] % len(dtypes)])
    if data[0] & 4:
        matrix = matrix[::-1]
    corpus = CODES[data[4] % len(CODES)]
    metric = ("cosine", "dot", "l2", "hamming", "jaccard", None)[data[5] % 6]
    calls: tuple[Callable[[], object], ...] = (
        lambda: embcodec.search(matrix, corpus, k=int(data[6]) - 3, metric=metric),
        lambda: embcodec.search(CODES[data[6] % 5], matrix, k=3, metric=metric),
        lambda: embcodec.search(VECTORS[:2], corpus, k=3, mask=matrix),
        lambda: embcodec.range_search(matrix, corpus, float(data[6]) - 3, metric=metric),
        lambda: embcodec.rescore(VECTORS[:2], matrix, corpus, k=2),
        lambda: embcodec.rescore(matrix, np.zeros((len(matrix), 2), np.int64), VECTORS, k=2),
        lambda: embcodec.quantize(matrix, "int8", scale="per-vector"),
        lambda: embcodec.quantize(VECTORS, "uint8", scale=matrix),
        lambda: embcodec.calibrate(matrix),
        lambda: Embeddings(matrix, ("float", "int8", "uint8", "binary", "ubinary")[data[6] % 5], data[2] % 70),
        lambda: FlatIndex(corpus, ids=matrix).search(VECTORS[:1], k=2),
        lambda: embcodec.decode_base64(data, "int8"),
        lambda: embcodec.parse_floats(data),
        lambda: embcodec.encode_base64(matrix),
        lambda: embcodec.format_floats(matrix),
        lambda: embcodec.pack_bits(matrix),
        lambda: embcodec.unpack_bits(matrix, data[6]),
    )
    call = data[7] % len(calls)
    try:
        calls[call]()
    except (TypeError, ValueError, IndexError) as error:  # the caller's mistake
        return f"{'abcdefghijklmnopqrst'[call]} {error}"
    return "abcdefghijklmnopqrst"[call]


def files(suffix: str) -> Callable[[], list[bytes]]:
    def seeds() -> list[bytes]:
        written = []
        for codes in CODES:
            try:
                written.append(saved(suffix, lambda path, codes=codes: embcodec.save(path, codes)))
            except embcodec.StorageError:  # a kind of file that cannot hold these
                continue
        return written

    return seeds


def fitted(bits: int, rotation: str, center: str = "mean") -> LowBitQuantizer:
    return LowBitQuantizer(bits=bits, rotation=rotation, center=center, seed=1).fit(VECTORS)


QUANTIZERS = ((1, "none"), (2, "random"), (4, "learned"), (1, "whitened"), (4, "blocks"))


def quantizer_seeds() -> list[bytes]:
    return [saved(".npz", fitted(bits, rotation).save) for bits, rotation in QUANTIZERS]


def low_bit_seeds() -> list[bytes]:
    quantizers = [fitted(bits, rotation) for bits, rotation in QUANTIZERS]
    return [saved(".npz", lambda path, q=q: embcodec.save(path, q.encode(VECTORS))) for q in quantizers]


def index_seeds() -> list[bytes]:
    indexes = [FlatIndex(codes) for codes in CODES]
    indexes.append(FlatIndex(CODES[3], rescore_with=CODES[1], ids=np.arange(40) * 3))
    return [saved(".safetensors", index.save) for index in indexes]


def batch_seeds() -> list[bytes]:
    body = json.loads(embcodec.encode_response(CODES[0][:2], model="m"))
    good = {"custom_id": "a", "response": {"status_code": 200, "body": body}, "error": None}
    bad = {"custom_id": "b", "response": None, "error": {"message": "no"}}
    lines = [json.dumps(line).encode() + b"\n" for line in (good, bad, good)]
    others = (
        {
            "recordId": "a",
            "modelInput": {},
            "modelOutput": {"embedding": [1, 2], "embeddingsByType": {"float": [1, 2]}},
        },
        {"recordId": "b", "error": {"errorCode": 400, "errorMessage": "no"}},
        {"key": "a", "response": {"embedding": {"values": [1, 2]}}},
        {
            "instance": {},
            "predictions": [{"embeddings": {"values": [1], "statistics": {"token_count": 1}}}],
            "status": "",
        },
        [{"input": "x"}, body, {"row_id": 1}],
        body,
    )
    forms = b"\n".join(json.dumps(line).encode() for line in others)
    whole = b"".join(lines)
    return [whole, lines[1], b"\n".join(lines), forms, gzip.compress(whole), whole.decode().encode("utf-16")]


def copy_seeds() -> list[bytes]:
    seeds = []
    for rows in (CODES[0], CODES[3]):
        file = io.BytesIO()
        beside = {"title": ["a", None] * 20, "price": np.ones(40, np.float32), "meta": [{"a": 1}] * 40}
        embcodec.write_pgcopy(file, rows, range(40), columns=beside)
        seeds.append(file.getvalue())
    return seeds


def octets_seeds() -> list[bytes]:
    def one(dtype: str, width: int) -> bytes:
        rows = [
            {"index": i, "embed_dtype": dtype, "start": i * width, "end": (i + 1) * width, "shape": [4]}
            for i in range(3)
        ]
        return json.dumps({"data": rows, "usage": {"prompt_tokens": 3}}).encode() + b"\n" + bytes(3 * width)

    return [one("float32", 16), one("float16", 8), b"\n" + VECTORS.tobytes()]


def body_seeds() -> list[bytes]:
    sent = [CODES[0], *(embcodec.quantize(VECTORS / 5, dtype) for dtype in ("int8", "uint8")), *CODES[3:]]
    bodies = [embcodec.encode_response(codes[:2], model="m") for codes in sent]
    bodies += [embcodec.encode_response(CODES[0][:2], model="m", encoding_format="base64")]
    bodies += [
        b'{"embeddings": {"float": [[1, 2]]}}',
        b'{"data": [{"embedding": [[1, 2]]}, {"embedding": "[1, 2]"}]}',
        b'{"embedding": [1, 2], "embeddingsByType": {"binary": [0, 1]}}',
        b'{"embedding": {"values": [1, 2]}, "usageMetadata": {"promptTokenCount": 1}}',
        b'{"predictions": [{"embeddings": {"values": [1], "statistics": {"token_count": 1}}}]}',
        b"[1, 2]",
        '{"embedding": [1]}'.encode("utf-16"),
        b'{"error": {"message": "no", "code": 3}}',
        b'{"detail": [{"loc": []}]}',
    ]
    return [bytes([i]) + body for i, body in enumerate(bodies)]


def request_seeds() -> list[bytes]:
    plain = {
        "model": "m",
        "input": ["a", "b"],
        "encoding_format": "base64",
        "output_dtype": "int8",
        "output_dimension": 3,
    }
    return [
        json.dumps(request).encode() for request in (plain, {"model": "m", "input": "a", "dimensions": 2, "user": "u"})
    ]


def open_zip(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def seal_zip(parts: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return file.getvalue()


def open_safetensors(data: bytes) -> dict[str, bytes]:
    length = int.from_bytes(data[:8], "little")
    return {"header": data[8 : 8 + length], "data": data[8 + length :]}


def seal_safetensors(parts: dict[str, bytes]) -> bytes:
    header = parts.get("header", b"")
    return len(header).to_bytes(8, "little") + header + parts.get("data", b"")


ZIP, SAFETENSORS = Parts(open_zip, seal_zip), Parts(open_safetensors, seal_safetensors)


SURFACES: dict[str, Surface] = {
    "body": Surface(body_seeds, use_body),
    "batch": Surface(batch_seeds, in_file(".jsonl", use_batch)),
    "copy": Surface(copy_seeds, use_copy),
    "octets": Surface(octets_seeds, use_octets),
    "request": Surface(request_seeds, use_request),
    "arguments": Surface(
        lambda: [bytes([1, 3, 24, 0, i % 5, i % 6, 3, i]) + VECTORS[:3].tobytes() for i in range(17)], use_arguments
    ),
    "safetensors": Surface(files(".safetensors"), in_file(".safetensors", use_loaded), parts=SAFETENSORS),
    "npy": Surface(files(".npy"), in_file(".npy", use_loaded)),
    "npz": Surface(files(".npz"), in_file(".npz", use_loaded), parts=ZIP),
    "parquet": Surface(files(".parquet"), in_file(".parquet", use_loaded)),
    "fvecs": Surface(files(".fvecs"), in_file(".fvecs", use_loaded)),
    "ibin": Surface(lambda: [bytes([2, 0, 0, 0, 1, 0, 0, 0]) + bytes(8)], in_file(".ibin", embcodec.load_ids)),
    "fbin": Surface(files(".fbin"), in_file(".fbin", use_loaded)),
    "codes": Surface(low_bit_seeds, in_file(".npz", use_loaded), parts=ZIP),
    "quantizer": Surface(quantizer_seeds, in_file(".npz", use_quantizer), parts=ZIP),
    "index": Surface(index_seeds, in_file(".safetensors", use_index), parts=SAFETENSORS),
}
