def find(patterns: list[str]) -> list[str]:
    """List files, and the {{ sample }}s in folders and among matches of globs, each once."""
    paths: dict[str, None] = {}
    for pattern in patterns:
        inside = os.path.join(glob.escape(pattern), "**")
        searched = inside if os.path.isdir(pattern) else pattern
        files = sorted(filter({{ is_sample }}, glob.glob(searched, recursive=True)))
        if os.path.isfile(pattern):
            files = [pattern]  # whatever its name
        if not files:
            raise SystemExit(f"{shown(pattern)}: no {{ sample }} here")
        paths |= dict.fromkeys(files)
    return list(paths)


def shown(text: str) -> str:
    """Return `text` in one line, with control characters escaped for the terminal."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
