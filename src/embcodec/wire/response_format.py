"""How the answers to one kind of request are written: what was asked of a service, and how that service packs it."""

from __future__ import annotations

from .._native.base64 import NO_PADDING, URLSAFE
from .._native.floats import PAYLOADS
from .._native.response.layout import NO_STRINGS, Layout
from ..codec import unused_bits
from ..dtypes import INTEGERS, NULLS, OutputDtype, as_dimension, as_output_dtype
from ..profiles import Profile, resolve_profile
from ..scale import UNIT_SCALE
from ..words import one_of
from .service import SAYS_MORE, USAGE
from .shapes import no_strings


class ResponseFormat:
    """The parameters of ``decode_response``, checked, and where they put the vectors of a body and in what form."""

    __slots__ = (
        "_layouts",
        "_plain",
        "_plain_names",
        "_unpacked",
        "base64_flags",
        "dimension",
        "dtype",
        "nulls_as_nan",
        "payload",
        "profile",
        "scale",
        "width",
    )

    def __init__(
        self,
        output_dtype: str,
        dimension: int | None,
        profile: str | Profile,
        nulls: str,
    ) -> None:
        self.dtype = as_output_dtype(output_dtype)
        self.profile = resolve_profile(profile)
        one_of(nulls, NULLS, "nulls")
        self.nulls_as_nan = nulls == "nan"
        if self.nulls_as_nan and self.dtype is not OutputDtype.FLOAT:
            raise ValueError(f"{self.dtype} codes have no NaN: nulls='nan' is for float")
        self.dimension = None if dimension is None else as_dimension(dimension, least=1)
        self._unpacked = self.profile.bits_as_numbers and self.dtype.is_packed
        self.width = None if self.dimension is None else self.dtype.row_width(self.dimension)
        if self._unpacked:
            self.width = self.dimension
        urlsafe, padding = self.profile.base64_urlsafe, self.profile.base64_padding
        self.base64_flags = (URLSAFE if urlsafe else 0) | (0 if padding else NO_PADDING)
        if self.dtype is OutputDtype.FLOAT:
            self.payload = PAYLOADS[self.profile.base64_dtype, self.profile.byte_order]
        else:
            self.payload = PAYLOADS["float32", "little"]
        if no_strings(self.profile, self.dtype):
            self.payload = NO_STRINGS
        self.scale = UNIT_SCALE if self.dtype in INTEGERS else None
        # Whether rows of the right width are valid as they are. Only bits may not be: where the dimension is no
        # multiple of 8, those behind the last dimension must be 0.
        self._plain = not (self.dtype.is_packed and self.dimension is not None and self.dimension % 8)
        if self._unpacked:
            self._plain = False
        self._layouts: dict[tuple[str, str | None, tuple[str, str | None] | None], Layout] = {}
        self._plain_names = self._make_plain_names()

    def layout(self, prefix: str = "", name: str | None = None, place: tuple[str, str | None] | None = None) -> Layout:
        """Return where the vectors of a document are, and how they are written: what the readers in C ask for.

        `name` is what the service calls the dtype, which is a key on the way to the vectors with some services; by
        default the profile's name for this dtype. `place` is another one than the profile's own.
        """
        asked = prefix, name, place
        known = self._layouts.get(asked)
        if known is None:
            profile = self.profile
            name = profile.dtype_name(self.dtype) if name is None else name
            rows, item = (profile.rows, profile.item) if place is None else place
            path = ".".join(part for part in (prefix.removesuffix("."), rows) if part)
            known = self._layouts[asked] = self._make_layout(path, item, name)
        return known

    def _make_layout(self, path: str, item_path: str | None, name: str) -> Layout:
        profile = self.profile
        rows = path.replace("{dtype}", name).split(".") if path else []
        item = item_path.replace("{dtype}", name).split(".") if item_path else []
        return Layout(
            "".join(key + "\0" for key in (*rows, *item)).encode(),
            len(rows),
            len(item),
            self.dtype.numpy_dtype,
            self.payload,
            self.nulls_as_nan,
            self.base64_flags,
            profile.ignore_index,
            no_strings(profile, self.dtype),
            self.dtype.is_packed and not self._unpacked,
            self.dimension is not None,
            **self._padding(),
            unpacked=self._unpacked,
        )

    def _padding(self) -> dict[str, int]:
        """Return which bits of a row's last byte are behind its dimension, as the layout has it."""
        if self._plain or self._unpacked or self.dimension is None:
            return {}
        offset = self.dtype is OutputDtype.BINARY and self.profile.signed_bytes == "offset"
        unused = unused_bits(self.dimension, self.profile.bit_order)
        return {"dimension": self.dimension, "unused": unused, "zero": 0x80 if offset else 0}

    def plain_names(self) -> bytes | None:
        """Return the keys by which the reader of batch files in C recognises a line that it may read by itself.

        These are the key of the list of rows and that of a row's vector, then the keys whose presence makes a body one
        for the reader of single lines. Each is followed by a zero byte, and the last one by another.

        None where that reader cannot do it: where a path has more than one key or depends on the dtype, where a key of
        the path has a meaning of its own, or where rows have to be checked after they are read.
        """
        return self._plain_names

    def _make_plain_names(self) -> bytes | None:
        rows, item = self.profile.rows, self.profile.item
        special = rows in ("", USAGE, *SAYS_MORE)
        if not self._plain or item is None or special or any(c in rows + item for c in ".{\0"):
            return None
        return "".join(f"{key}\0" for key in (rows, item, *SAYS_MORE, "")).encode()
