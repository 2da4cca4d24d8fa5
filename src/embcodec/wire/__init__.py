"""What services send and are sent: bodies, their errors, the key."""

from .address import is_loopback
from .decoder import EmbeddingResponse
from .octets import decode_octets
from .response import decode_response, encode_response
from .secret import Secret, keep_out_of_logs, without_credentials
from .service import Usage, service_error

__all__ = [
    "EmbeddingResponse",
    "Secret",
    "Usage",
    "decode_octets",
    "decode_response",
    "encode_response",
    "is_loopback",
    "keep_out_of_logs",
    "service_error",
    "without_credentials",
]
