"""Files as such: replaced as a whole, read within bounds, as named arrays whose meaning others know."""

from .arrays import SHORT_FLOATS, Stream, narrowed
from .atomic import clean, replacing
from .checks import (
    MOST_WORDS,
    allowed_bytes,
    check_decoded,
    check_max_bytes,
    check_seal,
    checked_array,
    checked_texts,
    drop_seal,
    flag,
    is_text,
    sealed,
    whole_number,
)
from .disk import creating, filling, flush_folder, open_empty, overwrite, overwriting, reserve
from .hdf5 import open_hdf5
from .locks import locked
from .npy import FLOAT_DTYPES, open_npz, read_npy, read_npz, stream_npy, write_npy, write_npz
from .pages import Footer, decoded_bytes, read_footer
from .tensors import read_tensors, read_tensors_and_others, stream_tensors, write_tensors, write_tensors_to
from .xvecs import ELEMENTS, read_bin, read_ids, read_vecs, stream_bin, stream_vecs, write_bin, write_vecs

__all__ = [
    "ELEMENTS",
    "FLOAT_DTYPES",
    "MOST_WORDS",
    "SHORT_FLOATS",
    "Footer",
    "Stream",
    "allowed_bytes",
    "check_decoded",
    "check_max_bytes",
    "check_seal",
    "checked_array",
    "checked_texts",
    "clean",
    "creating",
    "decoded_bytes",
    "drop_seal",
    "filling",
    "flag",
    "flush_folder",
    "is_text",
    "locked",
    "narrowed",
    "open_empty",
    "open_hdf5",
    "open_npz",
    "overwrite",
    "overwriting",
    "read_bin",
    "read_footer",
    "read_ids",
    "read_npy",
    "read_npz",
    "read_tensors",
    "read_tensors_and_others",
    "read_vecs",
    "replacing",
    "reserve",
    "sealed",
    "stream_bin",
    "stream_npy",
    "stream_tensors",
    "stream_vecs",
    "whole_number",
    "write_bin",
    "write_npy",
    "write_npz",
    "write_tensors",
    "write_tensors_to",
    "write_vecs",
]
