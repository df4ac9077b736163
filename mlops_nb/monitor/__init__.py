"""Clips of predictions against a reference: what moved, is it chance, and whom to wake."""

from mlops_nb.monitor.clips import Reference, outside_rules, reference
from mlops_nb.monitor.paging import accepted, acknowledge, monitor, page
from mlops_nb.monitor.shift import Alert, Finding, Watch, WatchPolicy, Window, watch

__all__ = [
    "Alert",
    "Finding",
    "Reference",
    "Watch",
    "WatchPolicy",
    "Window",
    "accepted",
    "acknowledge",
    "monitor",
    "outside_rules",
    "page",
    "reference",
    "watch",
]
