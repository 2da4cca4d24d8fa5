"""The services that are known. A user's own profile is ``dataclasses.replace(PROFILES[...], ...)``.

Where a fact is from stands in the profile's `source`; each is tested with a body written by hand from its formulas.

"dashscope", "gemini", "llama.cpp", "ollama" and "tei" are asked by those services' OpenAI-compatible routes; what their
native ones answer is read as well. To ask Ollama's is
``replace(PROFILES["ollama"], path="/api/embed", encoding_field=None)``, and TEI's
``replace(PROFILES["tei"], path="/embed", input_field="inputs", encoding_field=None)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from .profile import Profile
from .words import meant, shown

__all__ = ["PROFILES", "Profile", "resolve_profile"]


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
        others=(("embeddings", None),),  # of /v1/embed, without embedding_types
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
        others=(("", None),),  # /embed
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
        others=(("embeddings", None), ("embedding", None)),  # /api/embed, /api/embeddings
        source="ollama, openai/openai.go, openai/openai_encoding_format_test.go and docs/api.md",
    ),
    Profile(
        "llama.cpp",
        base64_payload="float32",
        base_url="http://127.0.0.1:8080",
        api_key_variable="LLAMA_API_KEY",
        dtype_field=None,
        dimension_field=None,
        max_inputs=512,
        others=(("", "embedding"),),  # /embedding
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
        "azure",  # the v1 route, which takes the key as a bearer token
        base64_payload="float32",
        base_url="",
        path="/openai/v1/embeddings",
        api_key_variable="AZURE_OPENAI_API_KEY",
        dtype_field=None,
        dimension_field="dimensions",
        max_inputs=2048,
        max_tokens=300_000,
        source="learn.microsoft.com, Azure OpenAI v1 API, embeddings",
    ),
    Profile(
        "gemini",  # asked by its OpenAI-compatible route; bodies of embedContent and batchEmbedContents are read, too
        others=(("embeddings", "values"), ("embedding", "values")),
        base64_payload="float32",
        base_url="https://generativelanguage.googleapis.com",
        path="/v1beta/openai/embeddings",
        api_key_variable="GEMINI_API_KEY",
        dtype_field=None,
        dimension_field="dimensions",
        encoding_field=None,
        max_inputs=100,
        source="ai.google.dev/api/embeddings and ai.google.dev/gemini-api/docs/openai",
    ),
    Profile(
        "dashscope",  # Model Studio, asked by its OpenAI-compatible route; abroad: base_url="https://dashscope-intl..."
        others=(("output.embeddings", "embedding"),),  # of its own route, whose rows are numbered by text_index
        base64_payload="float32",
        base_url="https://dashscope.aliyuncs.com/compatible-mode",
        api_key_variable="DASHSCOPE_API_KEY",
        dtype_field=None,
        dimension_field="dimensions",
        encoding_field=None,
        max_inputs=10,
        source="alibabacloud.com/help/en/model-studio/text-embedding-synchronous-api",
    ),
    Profile(
        "vertex",
        rows="predictions",
        item="embeddings.values",
        others=(("embedding", "values"),),  # of embedContent, by which the newer models answer
        base64_payload="none",
        row_tokens="token_count",
        base_url="https://aiplatform.googleapis.com",
        path="",
        api_key_variable="GOOGLE_ACCESS_TOKEN",
        dtype_field=None,
        dimension_field="outputDimensionality",
        encoding_field=None,
        input_field="instances",
        has_requests=False,
        source="cloud.google.com/vertex-ai, text embeddings API and batch text embeddings",
    ),
    Profile(
        "bedrock-titan",  # one text a request; bits are numbers, 0 or 1
        rows="embeddingsByType.{dtype}",
        item=None,
        others=(("embedding", None),),  # of the first version
        base64_payload="none",
        bits_as_numbers=True,
        base_url="https://bedrock-runtime.us-east-1.amazonaws.com",
        path="",
        api_key_variable="AWS_BEARER_TOKEN_BEDROCK",
        dtype_field="embeddingTypes",
        dtype_as_list=True,
        dtype_names=MappingProxyType({"ubinary": "binary"}),
        dimension_field="dimensions",
        encoding_field=None,
        input_field="inputText",
        max_inputs=1,
        has_requests=False,
        source="docs.aws.amazon.com/bedrock, Amazon Titan Embeddings Text; AWS blog on its binary embeddings",
    ),
    Profile(
        "bedrock-cohere",  # Cohere's bodies: those of /v1/embed where no embedding_types were asked for
        rows="embeddings.{dtype}",
        item=None,
        others=(("embeddings", None),),
        base64_payload="float32",
        base_url="https://bedrock-runtime.us-east-1.amazonaws.com",
        path="",
        api_key_variable="AWS_BEARER_TOKEN_BEDROCK",
        dtype_field="embedding_types",
        dtype_as_list=True,
        encoding_field=None,
        input_field="texts",
        max_inputs=96,
        has_requests=False,
        source="docs.aws.amazon.com/bedrock, Cohere Embed models; docs.cohere.com/reference/embed",
    ),
    Profile(
        "huggingface",  # feature extraction: a list of vectors, or one for one text; one a token is refused
        rows="",
        item=None,
        base64_payload="none",
        base_url="https://router.huggingface.co",
        path="",
        api_key_variable="HF_TOKEN",
        dtype_field=None,
        dimension_field=None,
        encoding_field=None,
        input_field="inputs",
        has_requests=False,
        source="huggingface.co/docs/inference-providers, feature extraction",
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
