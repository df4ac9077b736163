"""An append-only, hash-chained record of every act; ancestors, descendants, blame; propose, approve."""

from mlops_nb.ledger.chain import (
    GENESIS,
    Act,
    LedgerCheck,
    acts,
    canonical_json,
    done,
    record,
    record_unless,
    verify_ledger,
)

__all__ = [
    "GENESIS",
    "Act",
    "LedgerCheck",
    "acts",
    "canonical_json",
    "done",
    "record",
    "record_unless",
    "verify_ledger",
]
