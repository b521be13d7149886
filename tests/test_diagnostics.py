"""What is printed for a broken spec, word for word: the transcripts in `diagnostics/`.

`SPECC_UPDATE=1 pytest tests/test_diagnostics.py` rewrites them; read what it changed.
"""

import os
import shlex
import sys
from pathlib import Path

import pytest

from specc import cli

FOLDER = Path(__file__).parent / "diagnostics"
SPECS = [path for path in sorted(FOLDER.iterdir()) if path.suffix in (".toml", ".json")]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_what_is_printed(
    spec: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(FOLDER)
    transcript = spec.with_name(f"{spec.name}.txt")
    expected = transcript.read_text() if transcript.exists() else ""
    command = expected.partition("\n")[0] or f"$ specc build {spec.name} -o out"
    monkeypatch.setattr(sys, "argv", shlex.split(command)[1:])

    with pytest.raises(SystemExit) as ended:
        cli.main()

    printed = capsys.readouterr()
    assert (ended.value.code, printed.out) == (2, "")
    assert not Path("out").exists()
    found = f"{command}\n{printed.err}"
    if "SPECC_UPDATE" in os.environ:
        transcript.write_text(found)
    else:
        assert found == expected


def test_every_transcript_is_of_a_spec() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == {spec.name for spec in SPECS}
