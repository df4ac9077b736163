"""An append-only, hash-chained record of every act; ancestors, descendants, blame; propose, approve."""

from mlops_nb.ledger.chain import (
    Act,
    acts,
    canonical_json,
    done,
    known_ids,
    record,
    record_unless,
)
from mlops_nb.ledger.graph import (
    Blame,
    Edge,
    Lineage,
    Node,
    ancestors,
    blame,
    descendants,
    find_id,
    lineage,
)
from mlops_nb.ledger.review import (
    Approval,
    Proposal,
    Rejection,
    approval,
    approve,
    proposal,
    proposals,
    propose,
    reject,
)
from mlops_nb.ledger.store import GENESIS
from mlops_nb.ledger.verify import LedgerCheck, verify_ledger

__all__ = [
    "GENESIS",
    "Act",
    "Approval",
    "Blame",
    "Edge",
    "LedgerCheck",
    "Lineage",
    "Node",
    "Proposal",
    "Rejection",
    "acts",
    "ancestors",
    "approval",
    "approve",
    "blame",
    "canonical_json",
    "descendants",
    "done",
    "find_id",
    "known_ids",
    "lineage",
    "proposal",
    "proposals",
    "propose",
    "record",
    "record_unless",
    "reject",
    "verify_ledger",
]
