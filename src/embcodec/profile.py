"""How one service packs vectors: data, no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType, NoneType
from typing import Any, get_args

from .dtypes import Base64Dtype, Base64Payload, BitOrder, ByteOrder, OutputDtypeLike, SignedBytes, as_output_dtype
from .words import meant, shown

_CHOICES: dict[str, tuple[str, ...]] = {
    "base64_payload": get_args(Base64Payload),
    "base64_dtype": get_args(Base64Dtype),
    "byte_order": get_args(ByteOrder),
    "signed_bytes": get_args(SignedBytes),
    "bit_order": get_args(BitOrder),
}
_KINDS: dict[Any, tuple[Any, str]] = {
    "str": (str, "a str"),
    "str | None": ((str, NoneType), "a str or None"),
    "bool": (bool, "True or False"),
    "int": (int, "a whole number"),
    "int | None": ((int, NoneType), "a whole number or None"),
    "Mapping[str, str]": (Mapping, "a mapping of names"),
}
"""What fields of some annotations are, and how that is said."""


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
        ``""`` is a body that is itself the list. One row by itself may stand in the place of the list.
    item : str or None
        The key of the vector in each object of `rows`, or a dotted path; None where the rows are bare vectors.
    others : tuple of (str, str or None)
        Further pairs of `rows` and `item`, looked at in turn where floats are asked for and `rows` leads to none: the
        service's other routes and versions.
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
    bits_as_numbers : bool
        Whether bits come as lists of 0 and 1, a number a dimension, instead of packed into bytes.
    threshold_inclusive : bool
        Whether the service sets a bit for x >= 0 (True) or for x > 0 (False).
    row_tokens : str or None
        The key of a count of tokens inside each row; None where counts are in the body's ``usage``, if anywhere.
    base_url, path : str
        Where requests go. A `base_url` of ``""`` is each customer's own, which a client has to be told.
    has_requests : bool
        Whether the client can ask the service. Else the profile reads bodies alone: requests are signed, or shaped in
        a way that no field here describes.
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
    others: tuple[tuple[str, str | None], ...] = ()
    bits_as_numbers: bool = False
    row_tokens: str | None = None
    has_requests: bool = True
    source: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for name, annotated in self.__dataclass_fields__.items():
            value, (kind, words) = getattr(self, name), _KINDS.get(annotated.type, (object, ""))
            if not isinstance(value, kind) or (isinstance(value, bool) and words not in ("", "True or False")):
                raise TypeError(f"{name} is {words}, not {shown(value)}")
        for name in ("max_inputs", "max_tokens"):
            if (most := getattr(self, name)) is not None and most < 1:
                raise ValueError(f"{name} is at least 1, not {most}")
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            if not (isinstance(value, str) and value in choices):
                raise ValueError(
                    f"{name} is one of {', '.join(map(repr, choices))}, not {shown(value)}{meant(value, choices)}"
                )

    def __repr__(self) -> str:
        """Return the name and what is not as with other profiles."""
        usual = {name: field.default for name, field in self.__dataclass_fields__.items() if field.repr}
        own = [f"{name}={getattr(self, name)!r}" for name in usual if getattr(self, name) not in (usual[name], {})]
        return f"Profile({', '.join(own)})"

    def dtype_name(self, output_dtype: OutputDtypeLike) -> str:
        """Return the service's name of `output_dtype`."""
        dtype = as_output_dtype(output_dtype)
        return self.dtype_names.get(dtype, str(dtype))

    def __reduce__(self) -> tuple[object, ...]:
        values = [getattr(self, name) for name in self.__dataclass_fields__]
        return _rebuild, tuple(dict(v) if isinstance(v, Mapping) else v for v in values)


def _rebuild(*values: object) -> Profile:
    return Profile(*values)  # type: ignore[arg-type]
