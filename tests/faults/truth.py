"""The known truth: a key's state at each moment, and the changes that were acknowledged."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

ENABLED, DISABLED, DELETED = "enabled", "disabled", "deleted"
# The event in the audit log for the change that leads to a state.
EVENTS = {ENABLED: "key.enable", DISABLED: "key.disable", DELETED: "key.delete"}
CREATED = "key.create"


@dataclass
class Span:
    """The time between the acknowledgement of one change and the start of the next, in which the state is known."""

    state: str
    since: float
    until: float | None = None

    def covers(self, began: float, ended: float) -> bool:
        return began >= self.since and (self.until is None or ended <= self.until)


class Timeline:
    """The states of a key. Times are those of time.monotonic(), which all processes of a machine share."""

    def __init__(self, state: str) -> None:
        self._spans = [Span(state, time.monotonic())]

    @property
    def state(self) -> str | None:
        """The current state, or None while it is not known."""
        last = self._spans[-1]
        return last.state if last.until is None else None

    def changing(self) -> None:
        if self._spans[-1].until is None:
            self._spans[-1].until = time.monotonic()

    def changed(self, state: str) -> None:
        self._spans.append(Span(state, time.monotonic()))

    def known(self, began: float, ended: float) -> str | None:
        """Returns the state during a whole call, or None if it is not known or changed."""
        # The latest spans first, because most calls are in them.
        for span in reversed(self._spans):
            if span.since <= began:
                return span.state if span.covers(began, ended) else None
        return None

    def contradicts(self, began: float, ended: float, accepted: bool) -> bool:
        state = self.known(began, ended)
        return state is not None and accepted != (state == ENABLED)


class Ledger:
    """The changes to keys that were acknowledged."""

    def __init__(self) -> None:
        self._done: Counter[tuple[str, str]] = Counter()
        self._before: Counter[tuple[str, str]] = Counter()

    def acknowledged(self, event: str, secret_id: str) -> None:
        self._done[event, secret_id] += 1

    def begin_again(self, records: Iterable[dict]) -> None:
        """The database was put back to these records, so changes acknowledged until now may be gone."""
        self._done.clear()
        self._before = _counted(records)

    def compare(self, records: Iterable[dict]) -> tuple[int, list[str]]:
        """Returns the number of acknowledged changes, and those of them that are not recorded."""
        lost = self._done - (_counted(records) - self._before)
        return self._done.total(), [f"{event} {secret_id}" for event, secret_id in lost.elements()]


def _counted(records: Iterable[dict]) -> Counter[tuple[str, str]]:
    return Counter((record["action"], record["target"]) for record in records if record["result"] == "done")
