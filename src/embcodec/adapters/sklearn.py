"""A scikit-learn transformer that codes rows; needs the extra ``sklearn``."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..dtypes import OutputDtype, OutputDtypeLike, as_output_dtype
from ..embeddings import Embeddings
from ..quantizers import calibrate, quantize
from ..scale import ScaleLike
from ..words import one_of
from .missing import needed

with needed("a scikit-learn transformer", "sklearn"):
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import check_is_fitted, validate_data

Output = Literal["floats", "codes"]


class CodeTransformer(TransformerMixin, BaseEstimator):
    """Codes rows, for what a pipeline does with what codes keep of them.

    Parameters
    ----------
    output_dtype : {"float", "int8", "uint8", "binary", "ubinary"}
    scale : {"unit", "per-vector", "ranges"} or array-like, (2, n_features)
        Of int8 and uint8. "ranges": one a feature, calibrated on the rows that are fitted.
    output : {"floats", "codes"}
        What `transform` returns: the float32 values that the codes stand for, (n, n_features), or the codes' own
        elements, of bits eight features to one.

    Attributes
    ----------
    ranges_ : ndarray of float32, (2, n_features), or None
        What was calibrated.
    n_features_in_ : int

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> x = np.random.default_rng(0).standard_normal((60, 16))
    >>> model = make_pipeline(CodeTransformer("int8", scale="ranges"), KNeighborsClassifier(1))
    >>> model.fit(x, x[:, 0] > 0).score(x, x[:, 0] > 0)
    1.0
    """

    def __init__(
        self, output_dtype: OutputDtypeLike = "int8", *, scale: Any = "per-vector", output: Output = "floats"
    ) -> None:
        self.output_dtype = output_dtype
        self.scale = scale
        self.output = output

    def fit(self, X: Any, y: Any = None) -> CodeTransformer:
        """Calibrate ranges, if they are wanted; else look at the rows' shape alone."""
        rows = self._rows(X, reset=True)
        as_output_dtype(self.output_dtype)
        one_of(self.output, ("floats", "codes"), "output")
        wanted = isinstance(self.scale, str) and self.scale == "ranges"
        self.ranges_ = calibrate(rows) if wanted else None
        self.embed(rows[:1])  # refuses a scale that fits no rows
        return self

    def embed(self, X: Any) -> Embeddings:
        """Return the codes of rows with what they mean, as embcodec searches and saves them."""
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        dtype = as_output_dtype(self.output_dtype)
        if dtype is OutputDtype.FLOAT:
            return Embeddings(rows)
        scale: ScaleLike = self.scale if self.ranges_ is None else self.ranges_
        return quantize(rows, dtype, scale=scale) if not dtype.is_packed else quantize(rows, dtype)

    def transform(self, X: Any) -> NDArray[Any]:
        """Return the rows as `output` says."""
        rows = self.embed(X)
        return rows.to_float() if self.output == "floats" else rows.values

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the columns of `transform`: those of the features, of packed bits numbers of bytes."""
        check_is_fitted(self)
        dtype = as_output_dtype(self.output_dtype)
        if self.output == "codes" and dtype.is_packed:
            count = dtype.row_width(self.n_features_in_)
            return np.array([f"{type(self).__name__.lower()}{number}" for number in range(count)], object)
        known = getattr(self, "feature_names_in_", None)
        names = known if input_features is None else np.asarray(input_features, object)
        if names is None:
            names = np.array([f"x{number}" for number in range(self.n_features_in_)], object)
        if len(names) != self.n_features_in_ or (known is not None and not np.array_equal(names, known)):
            raise ValueError("input_features is not equal to feature_names_in_, or of another length")
        return np.asarray(names, object)

    def _rows(self, X: Any, *, reset: bool) -> NDArray[np.float32]:
        rows = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32], order="C")
        if np.abs(rows).max(initial=0) > np.finfo(np.float32).max:
            raise ValueError("Input contains a value too large for float32.")
        return np.ascontiguousarray(rows, np.float32)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
