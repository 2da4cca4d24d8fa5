"""Exact search: all rows are scanned, the k best or those beyond a threshold stay."""

from .best import (
    SearchResult,
    as_count,
    as_embeddings,
    as_mask,
    as_queries,
    best_of,
    rescored,
    restrict,
)
from .bounds import BoundedResult, Bounds, rescored_by_bounds
from .estimates import RowTerms, row_terms
from .exact import exact_by_codes
from .merge import merge_topk
from .metric import CompiledMetric, MetricLike, compile_metric
from .named import as_ids
from .plan import check_metric, plan
from .prepared import PreparedQueries
from .query_center import QueryCenter
from .range import RangeResult, range_search
from .reach import Reach
from .rescore import rescore
from .residuals import ALONG, RESIDUALS, residuals_of
from .search import prepare, search
from .segmented import Place, Segmented
from .steps import Progress, in_steps
from .ways import check_dimensions, way_to

__all__ = [
    "ALONG",
    "RESIDUALS",
    "BoundedResult",
    "Bounds",
    "CompiledMetric",
    "MetricLike",
    "Place",
    "PreparedQueries",
    "Progress",
    "QueryCenter",
    "RangeResult",
    "Reach",
    "RowTerms",
    "SearchResult",
    "Segmented",
    "as_count",
    "as_embeddings",
    "as_ids",
    "as_mask",
    "as_queries",
    "best_of",
    "check_dimensions",
    "check_metric",
    "compile_metric",
    "exact_by_codes",
    "in_steps",
    "merge_topk",
    "plan",
    "prepare",
    "range_search",
    "rescore",
    "rescored",
    "rescored_by_bounds",
    "residuals_of",
    "restrict",
    "row_terms",
    "search",
    "way_to",
]
