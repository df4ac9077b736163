"A report per slice with intervals, two models compared, and a gate that can say what is missing."

from mlops_nb.evaluate.decision import VERDICTS, Decision, Policy, Requirement, gate
from mlops_nb.evaluate.judging import decisions, judge, keep_decision
from mlops_nb.evaluate.report import (
    Comparison,
    Report,
    Slice,
    SliceDifference,
    compare,
    evaluate,
)

__all__ = [
    "VERDICTS",
    "Comparison",
    "Decision",
    "Policy",
    "Report",
    "Requirement",
    "Slice",
    "SliceDifference",
    "compare",
    "decisions",
    "evaluate",
    "gate",
    "judge",
    "keep_decision",
]
