def find(patterns: list[str]) -> list[str]:
    """List files, and the {{ sample }}s in folders and among matches of globs, each once."""
    found: dict[str, None] = {}
    for pattern in patterns:
        inside = os.path.join(glob.escape(pattern), "**")
        matches = glob.glob(inside if os.path.isdir(pattern) else pattern, recursive=True)
        files = sorted(filter({{ is_sample }}, matches))
        if os.path.isfile(pattern):
            files = [pattern]  # whatever its name
        if not files:
            raise SystemExit(f"{shown(pattern)}: no {{ sample }} here")
        found |= dict.fromkeys(files)
    return list(found)


def shown(text: str) -> str:
    """Return `text` in one line, with control characters escaped for the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
