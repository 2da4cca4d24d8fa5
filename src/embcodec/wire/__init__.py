"""What services send and are sent: bodies and their errors."""

from .answer import EmbeddingResponse
from .codings import CODINGS, CodingError, Inflater
from .envelopes import cohere_tail, rows_text
from .octets import decode_octets
from .response import decode_response, encode_response
from .service import Usage, service_error

__all__ = [
    "CODINGS",
    "CodingError",
    "EmbeddingResponse",
    "Inflater",
    "Usage",
    "cohere_tail",
    "decode_octets",
    "decode_response",
    "encode_response",
    "rows_text",
    "service_error",
]
