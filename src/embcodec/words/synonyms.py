"""What others call the words of this package: the names in NumPy, Faiss, databases and services."""

from __future__ import annotations

import re
from collections.abc import Collection

_PLAIN = re.compile(r"[^a-z0-9<>]")
# Letters and digits of a synonym: the words that it may stand for, of which an argument takes some.
_MEANT = {
    ("float32", "f32", "fp32", "single", "f4", "<f4"): ("float32", "float"),
    ("float", "floats", "full", "exact", "fp", "real"): ("float32", "float"),
    ("float64", "f64", "fp64", "double", "f8", "<f8"): ("float64", "float"),
    ("float16", "f16", "fp16", "half", "halffloat", "f2"): ("float16", "float"),
    ("bfloat16", "bf16"): ("bfloat16", "float"),
    ("fp8", "float8", "f8e4m3", "float8e4m3", "float8e4m3fn", "e4m3"): ("fp8_e4m3", "float"),
    ("f8e5m2", "float8e5m2", "e5m2"): ("fp8_e5m2", "float"),
    ("list", "lists", "json", "array", "numbers"): ("float",),
    ("i8", "i1", "sint8", "signed", "q8", "8bit", "sq8", "char", "byte"): ("int8",),
    ("u8", "unsigned", "uchar"): ("uint8",),
    ("ubin", "bit", "bits", "1bit", "u1", "b1", "ub1", "packed", "bool", "bitvector"): ("ubinary",),
    ("bin", "sbinary", "signedbinary"): ("binary",),
    ("b64",): ("base64",),
    ("cos", "cosinesimilarity", "cosinedistance", "cossim", "angular"): ("cosine",),
    ("ip", "innerproduct", "dotproduct", "maxinnerproduct", "maximuminnerproduct", "inner"): ("dot",),
    ("euclidean", "euclideandistance", "euclid", "sqeuclidean", "l2sq", "squaredl2", "l2distance"): ("l2",),
    ("tanimoto", "jaccarddistance", "iou"): ("jaccard",),
    ("pervector", "vector", "perrow", "row", "absmax", "dynamic"): ("per-vector",),
    ("default", "fixed", "service", "127"): ("unit",),
    ("little", "le", "<", "littleendian", "lsbfirst"): ("little", "lsb"),
    ("big", "be", ">", "bigendian", "msbfirst", "network"): ("big", "msb"),
    ("twos", "twoscomplement", "2scomplement", "complement"): ("twos-complement",),
    ("raise", "strict", "fail"): ("error",),
    ("ignore", "skip", "allow", "null", "none"): ("nan",),
    ("range", "max", "absolute"): ("minmax",),
    ("percentile", "percentiles"): ("quantile",),
    ("meansquarederror", "mmse", "l2error"): ("mse",),
    ("orthogonal", "rotated"): ("random",),
    ("opq", "itq"): ("learned",),
    ("hadamard",): ("blocks",),
    ("pca", "klt", "svd"): ("principal",),
    ("whitening",): ("whitened",),
    ("off", "no", "identity"): ("none",),
    ("azure", "azureopenai", "together", "openrouter", "lmstudio"): ("openai",),
    ("mistralai",): ("mistral",),
    ("voyageai",): ("voyage",),
    ("sbert", "st"): ("sentence-transformers",),
    ("huggingface", "hf", "textembeddingsinference"): ("tei",),
    ("pplx",): ("perplexity",),
    ("mxbai",): ("mixedbread",),
    ("elastic",): ("elasticsearch",),
}
_WORDS = {synonym: words for synonyms, words in _MEANT.items() for synonym in synonyms}


def plain(word: str) -> str:
    """Return a word without case, blanks, hyphens and underscores."""
    return _PLAIN.sub("", word.lower())


def synonym_among(word: str, choices: Collection[str]) -> str | None:
    """Return which of some known words is what others call `word`, if one is."""
    asked = plain(word)
    same = [choice for choice in choices if plain(choice) == asked and asked]
    meant = [known for known in _WORDS.get(asked, ()) if known in choices]
    return next(iter(same + meant), None)
