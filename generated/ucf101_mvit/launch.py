"""torchrun, with the reason of a failure as the last line; launch.sh starts it."""

import logging
import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import (
    ChildFailedError,
    ProcessFailure,
)
from torch.distributed.run import main as torchrun

# How an exception begins that follows from the end of another process.
FOLLOWS = ("RuntimeError: [", "DistBackendError", "DistNetworkError", "DistStoreError")


def main() -> None:
    logging.disable(logging.ERROR)  # of torchrun; the processes have their own
    try:
        torchrun()
    except ChildFailedError as error:
        sys.exit(reason(error.failures) or 1)
    except SignalException as error:  # what stopped is said by the processes
        sys.exit(128 + error.sigval)


def reason(failures: dict[int, ProcessFailure]) -> str:
    """Return the line that tells the failure from which the others follow.

    It is "" where every process has ended by SystemExit: what it said is on the screen.
    """
    recorded = {rank: recorded_message(failure) for rank, failure in failures.items()}
    for rank, text in recorded.items():
        if text and not text.startswith(FOLLOWS):
            return f"process {rank} failed: {text}"
    for rank, failure in failures.items():
        if failure.exitcode < 0 and failure.signal_name() != "SIGTERM":
            return f"process {rank} was ended by {failure.signal_name()}"
    for rank, failure in failures.items():
        if not recorded[rank] and any(recorded.values()) and failure.exitcode > 0:
            return f"process {rank} ended first; its own message, above, says why"
    for rank, text in recorded.items():
        if text:
            return f"process {rank} failed: {text}"
    return ""


def recorded_message(failure: ProcessFailure) -> str:
    """Return the exception that a process recorded, or "" of a SystemExit or signal."""
    message = failure.error_file_data.get("message", "")
    return str(message.get("message", "")) if isinstance(message, dict) else ""


if __name__ == "__main__":
    main()
