"""What each kind of code keeps and costs: the study, its report, and the demonstration."""

from .advice import beside_advice
from .bodies import WireMeasurement
from .corpus import Pair, docstring_pairs
from .demo import DemoResult, run_demo
from .intervals import Estimate
from .kinds import as_kinds
from .measurement import Measurement
from .measures import overlap
from .report import write_report
from .results import Study
from .stores import ANY, STORES
from .study import study
from .words import INTERVALS, figures, share

__all__ = [
    "ANY",
    "INTERVALS",
    "STORES",
    "DemoResult",
    "Estimate",
    "Measurement",
    "Pair",
    "Study",
    "WireMeasurement",
    "as_kinds",
    "beside_advice",
    "docstring_pairs",
    "figures",
    "overlap",
    "run_demo",
    "share",
    "study",
    "write_report",
]
