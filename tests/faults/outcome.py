"""The outcome of a fault, and the table of all outcomes."""

from dataclasses import dataclass, field

HEAD = ("fault", "engine", "acknowledged", "found", "lost", "stale", "recovered in", "result", "seen")


class Skipped(Exception):
    """The fault cannot be injected here; the message gives the reason."""


@dataclass
class Outcome:
    """The outcome of one fault on one engine."""

    fault: str
    engine: str
    # Changes that the server has acknowledged, and those of them that are in the audit log.
    acknowledged: int = 0
    found: int = 0
    # Outcomes that contradict a change that was acknowledged before the call began.
    stale: int = 0
    # None if nothing had to recover.
    recovery: float | None = None
    figures: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    skipped: str = ""

    def must(self, holds: bool, words: str) -> bool:
        """Checks a condition. A failure is reported only once, however often it occurs."""
        if not holds and words not in self.failures:
            self.failures.append(words)
        return holds

    def saw(self, figure: str) -> None:
        self.figures.append(figure)

    def recovered(self, seconds: float | None, bound: float) -> None:
        if self.must(seconds is not None, f"no recovery within {bound:g} s without a restart"):
            self.recovery = max(self.recovery or 0.0, seconds)

    @property
    def lost(self) -> int:
        return self.acknowledged - self.found

    @property
    def passed(self) -> bool:
        return not (self.failures or self.stale or self.lost)

    def row(self) -> tuple[str, ...]:
        if self.skipped:
            return (self.fault, self.engine, "", "", "", "", "", "skipped", self.skipped)
        counts = (str(count) for count in (self.acknowledged, self.found, self.lost, self.stale))
        recovery = "" if self.recovery is None else f"{self.recovery:.1f} s"
        seen = "; ".join([*self.figures, *self.failures])
        return (self.fault, self.engine, *counts, recovery, "passed" if self.passed else "FAILED", seen)


def as_text(outcomes: list[Outcome]) -> str:
    rows = [HEAD, *(outcome.row() for outcome in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD) - 1)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=True)]
        lines.append("  ".join([*cells, row[-1]]).rstrip())
    return "\n".join(lines)


def as_markdown(outcomes: list[Outcome]) -> str:
    rows = [HEAD, ("---",) * len(HEAD), *(outcome.row() for outcome in outcomes)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)


def closing_line(outcomes: list[Outcome]) -> str:
    played = [outcome for outcome in outcomes if not outcome.skipped]
    passed = sum(outcome.passed for outcome in played)
    return f"{passed} passed, {len(played) - passed} failed"
