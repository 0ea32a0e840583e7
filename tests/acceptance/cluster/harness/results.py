"""What the fault tests found: a row of JSON for each cycle, for the table in docs/faults.md."""

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.acceptance.harness.checker import Violations

FOLDER = Path(os.environ.get("GROUNDSWELL_FAULT_RESULTS", ".cache/faults"))


@dataclass(frozen=True, slots=True)
class Row:
    """One cycle of one fault."""

    fault: str
    seed: str
    acks: int
    lost: int  # I1
    duplicates: int  # I2
    inversions: int  # I3
    gaps: int  # I4
    drift: int  # I5
    recovery_s: float | None  # until a new comment was acknowledged, on both screens and stored

    @classmethod
    def of(
        cls, fault: str, seed: str, *, acks: int, violations: Violations, recovery_s: float | None
    ) -> "Row":
        """Count violations by the invariant that they begin with."""
        found = Counter(one[:2] for one in violations)
        return cls(fault, seed, acks, *(found[f"I{n}"] for n in range(1, 6)), recovery_s=recovery_s)

    def record(self) -> None:
        """Append it to the results of its fault."""
        FOLDER.mkdir(parents=True, exist_ok=True)
        with (FOLDER / "results.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(self)) + "\n")
