"""Write what specs/*.toml compile to into generated/, or with --check say what differs."""

import sys
from pathlib import Path

from specc.build import load
from specc.render import render

SPECS = sorted(Path("specs").glob("*.toml"))
GENERATED = Path("generated")


def golden() -> dict[Path, str]:
    """Return every file that belongs into generated/, compiled in the repository's root."""
    return {
        GENERATED / spec.stem / path: text
        for spec in SPECS
        for path, text in render(load(spec)).items()
    }


def differences(files: dict[Path, str]) -> list[Path]:
    """Return the files of generated/ that are not as they should be, or should not be there."""
    present = {path for path in GENERATED.rglob("*") if path.is_file()}
    changed = {path for path in files if path not in present or path.read_text() != files[path]}
    return sorted(changed | present - set(files))


def main() -> None:
    files = golden()
    different = differences(files)
    print(f"{len(files)} files, {len(different)} differ")
    print(*different, sep="\n")
    if "--check" in sys.argv:
        sys.exit(1 if different else 0)
    for path in different:
        if path in files:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[path], encoding="utf-8", newline="\n")
            path.chmod(0o755 if files[path].startswith("#!") else 0o644)
        else:
            path.unlink()


if __name__ == "__main__":
    main()
