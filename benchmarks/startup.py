"""Whole-process times of specc's commands beside a bare interpreter's and copier's.

    pip install copier && python benchmarks/startup.py [ROUNDS]

The commands run in turn, so that a machine whose speed drifts treats all alike. Prints for each the
median and the range over the rounds, in milliseconds.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time

QUICKSTART = "specs/quickstart.toml"


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "specc --help": ["specc", "--help"],
            "specc build": ["specc", "build", QUICKSTART, "-o", f"{folder}/out"],
            "copier --version": ["copier", "--version"],
        }
        for name, command in list(commands.items()):
            if not shutil.which(command[0]):
                print(f"{name}: {command[0]} is not installed")
                del commands[name]
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds + 1):
            for name, command in commands.items():
                start = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                times[name].append(1000 * (time.perf_counter() - start))
                shutil.rmtree(f"{folder}/out", ignore_errors=True)
    for name, spent in times.items():
        counted = spent[1:]  # the first round filled the disk's caches
        print(
            f"{name:18} {statistics.median(counted):6.0f} ms"
            f"   ({min(counted):.0f} to {max(counted):.0f}, {rounds} rounds)"
        )


if __name__ == "__main__":
    main()
