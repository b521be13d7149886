"""The command line in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path


def specc(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `specc`, which never ends in a traceback."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("specc")), *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done
