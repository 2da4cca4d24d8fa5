"""How services pack vectors: data, no code. A user's own profile is ``dataclasses.replace(PROFILES[...], ...)``.

Where a fact is from stands in the profile's `source`; each is tested with a body written by hand from its formulas.

"ollama" and "tei" are those servers' OpenAI-compatible routes, ``/v1/embeddings``. Their native ones answer otherwise:
``replace(PROFILES["ollama"], rows="embeddings", item=None, path="/api/embed")`` reads Ollama's, and
``replace(PROFILES["tei"], rows="", item=None, path="/embed", input_field="inputs")`` TEI's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import get_args

from .dtypes import Base64Dtype, Base64Payload, BitOrder, ByteOrder, OutputDtypeLike, SignedBytes
from .words import meant, shown

_CHOICES: dict[str, tuple[str, ...]] = {
    "base64_payload": get_args(Base64Payload),
    "base64_dtype": get_args(Base64Dtype),
    "byte_order": get_args(ByteOrder),
    "signed_bytes": get_args(SignedBytes),
    "bit_order": get_args(BitOrder),
}


@dataclass(frozen=True, slots=True)
class Profile:
    """How one service writes requests and packs answers.

    Attributes
    ----------
    name : str
        Key in :data:`PROFILES`.
    rows : str
        Where the vectors are in the body: ``"data"`` (objects in a list), or a dotted path to a list of bare
        vectors, in which ``{dtype}`` stands for the service's name of the dtype (``"embeddings.{dtype}"``).
        ``""`` is a body that is itself the list.
    item : str or None
        The key of the vector in each object of `rows`, or a dotted path; None where the rows are bare vectors.
    ignore_index : bool
        Whether rows are in the order of the inputs whatever their ``index`` says: some gateways repeat it.
    base64_payload : {"codes", "float32", "none"}
        What base64 text carries where the dtype is not float: the codes' own bytes, or float32 always. ``"none"``:
        the service writes no base64 at all, and text is no vector.
    base64_dtype : {"float32", "float16", "bfloat16", "fp8_e4m3", "fp8_e5m2", "float64"}
        The element type of floats under base64, and of those that come as bare bytes.
    has_floats : bool
        Whether the service sends floats; else `output_dtype` must say which codes it was asked for.
    byte_order : {"little", "big"}
        Of the same floats.
    base64_urlsafe, base64_padding : bool
        Whether base64 has "-" and "_" instead of "+" and "/"; whether its final "=" are required.
    signed_bytes : {"offset", "twos-complement"}
        How a packed byte becomes int8 in ``binary``: byte - 128, or the byte's own bits seen as int8.
    bit_order : {"msb", "lsb"}
        Which bit of a byte is the first dimension.
    threshold_inclusive : bool
        Whether the service sets a bit for x >= 0 (True) or for x > 0 (False).
    base_url, path : str
        Where requests go.
    api_key_variable : str
        The environment variable with the key.
    dtype_field, dimension_field, encoding_field : str or None
        Names of the request's fields; None where the service has no such field.
    dtype_as_list : bool
        Whether the dtype travels as a list.
    input_field : str
        Name of the field with the texts.
    dtype_names : mapping
        The service's names of dtypes where they differ from ours.
    max_inputs : int
        Most texts in a request.
    max_tokens : int or None
        Most tokens in a request, by the model that takes fewest; None where no limit is known.
    idempotency_header : str or None
        The header by which a service, or a gateway before it, knows a request that is sent again and does not charge
        it twice; None where there is no word of one.
    default_model : str or None
        What the command line asks for unless it is told.
    source : str
        Where these facts are from.
    """

    name: str
    rows: str = "data"
    item: str | None = "embedding"
    base64_payload: Base64Payload = "codes"
    base64_dtype: Base64Dtype = "float32"
    byte_order: ByteOrder = "little"
    base64_urlsafe: bool = False
    base64_padding: bool = True
    signed_bytes: SignedBytes = "offset"
    bit_order: BitOrder = "msb"
    threshold_inclusive: bool = False
    base_url: str = "https://api.mistral.ai"
    path: str = "/v1/embeddings"
    api_key_variable: str = "MISTRAL_API_KEY"
    dtype_field: str | None = "output_dtype"
    dtype_as_list: bool = False
    dimension_field: str | None = "output_dimension"
    encoding_field: str | None = "encoding_format"
    input_field: str = "input"
    dtype_names: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    max_inputs: int = 512
    max_tokens: int | None = None
    idempotency_header: str | None = None
    default_model: str | None = None
    has_floats: bool = True
    ignore_index: bool = False
    source: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} is one of {', '.join(map(repr, choices))}, not {getattr(self, name)!r}"
                    f"{meant(getattr(self, name), choices)}"
                )

    def __repr__(self) -> str:
        """Return the name and what is not as with other profiles."""
        usual = {name: field.default for name, field in self.__dataclass_fields__.items() if field.repr}
        own = [f"{name}={getattr(self, name)!r}" for name in usual if getattr(self, name) not in (usual[name], {})]
        return f"Profile({', '.join(own)})"

    def dtype_name(self, output_dtype: OutputDtypeLike) -> str:
        """Return the service's name of `output_dtype`."""
        return self.dtype_names.get(output_dtype, str(output_dtype))

    def __reduce__(self) -> tuple[object, ...]:
        values = [getattr(self, name) for name in self.__dataclass_fields__]
        return _rebuild, tuple(dict(v) if isinstance(v, Mapping) else v for v in values)


def _rebuild(*values: object) -> Profile:
    return Profile(*values)  # type: ignore[arg-type]


class _Known(Mapping[str, Profile]):
    """Read-only, and pickled by its name, which a mapping proxy cannot be."""

    def __init__(self, profiles: Iterable[Profile]) -> None:
        self._by_name = {profile.name: profile for profile in profiles}

    def __getitem__(self, name: str) -> Profile:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"PROFILES({', '.join(self)})"

    def __reduce__(self) -> str:
        return "PROFILES"


_ALL = (
    Profile(
        "mistral",
        max_tokens=16_384,
        default_model="mistral-embed",
        source="the SDK's types and the cookbook on output_dtype: docs.mistral.ai/capabilities/embeddings",
    ),
    Profile(
        "openai",
        base64_payload="float32",
        base_url="https://api.openai.com",
        api_key_variable="OPENAI_API_KEY",
        dtype_field=None,
        dimension_field="dimensions",
        max_inputs=2048,
        max_tokens=300_000,
        idempotency_header="Idempotency-Key",
        source="platform.openai.com/docs/api-reference/embeddings; openai-python, resources/embeddings.py",
    ),
    Profile(
        "voyage",  # base64 is that of a NumPy array of the dtype asked for; "binary" is the offset binary method
        base_url="https://api.voyageai.com",
        api_key_variable="VOYAGE_API_KEY",
        max_inputs=1000,
        max_tokens=120_000,
        source="docs.voyageai.com/reference/embeddings-api; voyageai-python, api_resources/embedding.py",
    ),
    Profile(
        "cohere",  # whether "binary" is the offset or the two's complement of a byte is not documented
        rows="embeddings.{dtype}",
        item=None,
        base64_payload="float32",
        base_url="https://api.cohere.com",
        path="/v2/embed",
        api_key_variable="COHERE_API_KEY",
        dtype_field="embedding_types",
        dtype_as_list=True,
        encoding_field=None,
        input_field="texts",
        max_inputs=96,
        source="docs.cohere.com/reference/embed",
    ),
    Profile(
        "vllm",  # codes come by its Cohere route alone: replace(PROFILES["cohere"], base_url=...), threshold >= 0
        base64_payload="float32",
        base_url="http://127.0.0.1:8000",
        api_key_variable="VLLM_API_KEY",
        dtype_field=None,
        dimension_field="dimensions",
        threshold_inclusive=True,
        max_inputs=1024,
        source="docs.vllm.ai, entrypoints/pooling/embed/protocol and utils/serial_utils",
    ),
    Profile(
        "tei",
        base64_payload="float32",
        base_url="http://127.0.0.1:8080",
        api_key_variable="TEI_API_KEY",
        dtype_field=None,
        dimension_field="dimensions",
        max_inputs=32,
        source="huggingface.github.io/text-embeddings-inference; router --max-client-batch-size",
    ),
    Profile(
        "ollama",
        base64_payload="float32",
        base_url="http://127.0.0.1:11434",
        api_key_variable="OLLAMA_API_KEY",
        dtype_field=None,
        dimension_field="dimensions",
        max_inputs=512,
        source="ollama, openai/openai.go and openai/openai_encoding_format_test.go",
    ),
    Profile(
        "llama.cpp",
        base64_payload="float32",
        base_url="http://127.0.0.1:8080",
        api_key_variable="LLAMA_API_KEY",
        dtype_field=None,
        dimension_field=None,
        max_inputs=512,
        source="llama.cpp, tools/server/README.md, POST /v1/embeddings",
    ),
    Profile(
        "infinity",
        base64_payload="float32",
        base_url="http://127.0.0.1:7997",
        path="/embeddings",  # its --url-prefix is empty unless set: give base_url with the prefix then
        api_key_variable="INFINITY_API_KEY",
        dtype_field=None,
        dimension_field="dimensions",
        max_inputs=2048,
        source="infinity_emb, fastapi_schemas/pymodels.py and docs/docs/cli_v2.md",
    ),
    Profile(
        "perplexity",  # base64 of int8, value = code / 127, or of bits, the first dimension lowest; never floats
        signed_bytes="twos-complement",  # should the packed bytes be seen as int8
        bit_order="lsb",
        base_url="https://api.perplexity.ai",
        api_key_variable="PERPLEXITY_API_KEY",
        dtype_field="encoding_format",
        dimension_field="dimensions",
        encoding_field=None,
        dtype_names=MappingProxyType({"int8": "base64_int8", "ubinary": "base64_binary"}),
        max_inputs=512,
        max_tokens=120_000,
        has_floats=False,
        source="docs.perplexity.ai/api-reference/embeddings-post and docs/embeddings/best-practices",
    ),
    Profile(
        "jina",
        base64_payload="float32",
        base_url="https://api.jina.ai",
        api_key_variable="JINA_API_KEY",
        dtype_field="embedding_type",
        dimension_field="dimensions",
        encoding_field=None,
        max_inputs=512,
        source="api.jina.ai/redoc, POST /v1/embeddings",
    ),
    Profile(
        "mixedbread",  # asked for several encodings it answers objects of them: item="embedding.{dtype}"
        base64_payload="float32",
        base_url="https://api.mixedbread.com",
        api_key_variable="MXBAI_API_KEY",
        dtype_field="encoding_format",
        dimension_field="dimensions",
        encoding_field=None,
        max_inputs=256,
        source="mixedbread.com/api-reference/endpoints/embeddings/create-embeddings",
    ),
    Profile(
        "sentence-transformers",
        base_url="http://127.0.0.1:8000",
        api_key_variable="EMBEDDINGS_API_KEY",
        source="sentence_transformers, quantization.quantize_embeddings",
    ),
    Profile(
        "elasticsearch",
        byte_order="big",
        signed_bytes="twos-complement",
        base_url="http://127.0.0.1:9200",
        api_key_variable="ELASTICSEARCH_API_KEY",
        source="elastic.co, dense_vector (base64 from 9.3 on, big-endian; bits as bytes from -128 to 127)",
    ),
    Profile(
        "vespa",  # writes vectors as lists, or in hexadecimal
        base64_payload="none",
        signed_bytes="twos-complement",
        base_url="http://127.0.0.1:8080",
        api_key_variable="VESPA_API_KEY",
        source="docs.vespa.ai, the document JSON format: tensors of int8, pack_bits",
    ),
)

PROFILES: Mapping[str, Profile] = _Known(_ALL)
"""The known services by name."""


def resolve_profile(profile: str | Profile) -> Profile:
    """Return `profile` itself, or the known one of that name.

    Raises
    ------
    ValueError
        Where no profile has that name; the message lists those known.
    """
    if isinstance(profile, Profile):
        return profile
    try:
        return PROFILES[profile]
    except (KeyError, TypeError):
        words = f"{', '.join(PROFILES)}{meant(profile, PROFILES)}"
        raise ValueError(f"unknown profile {shown(profile)}; known are {words}") from None
