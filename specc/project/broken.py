"""Breakage by edits and a new spec without a conflict: bad syntax, and names that are gone."""

import ast
import builtins
from collections.abc import Iterator


def broken(file: str, text: str, before: str) -> Iterator[str]:
    """Yield what does not work in an edited Python file, as `file:line: what`.

    That is where it can't be parsed, or where it uses a name that it nowhere imports or defines.

    Args:
        before: the file before this build, or as it was generated: what it defined is said to be
            gone from the generated code.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        yield f"{file}:{error.lineno}: {error.msg}"
        return
    except ValueError as error:  # null bytes
        yield f"{file}: {error}"
        return
    try:
        gone = _defined(ast.parse(before))
    except (SyntaxError, ValueError):
        gone = set()
    for line, name in sorted(set(_undefined(tree))):
        if name in gone:
            yield f"{file}:{line}: the generated code no longer has {name}"
        else:
            yield f"{file}:{line}: {name} is not defined"


def needed(text: str, yours: str) -> list[str]:
    """Return the names that `yours` defines and uses and that `text` uses only, sorted.

    Nothing where one of them can't be parsed.
    """
    try:
        missing = {name for _, name in _undefined(ast.parse(text))}
        return sorted(missing & _defined(ast.parse(yours)))
    except (SyntaxError, ValueError):
        return []


def _undefined(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield each use, (line, name), of a name that is no builtin and is defined nowhere."""
    known = _defined(tree) | {*dir(builtins)}
    if "*" in known:  # imported from elsewhere
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            special = node.id.startswith("__") and node.id.endswith("__")  # as __file__
            if node.id not in known and not special:
                yield node.lineno, node.id


def _defined(tree: ast.Module) -> set[str]:
    """Return the names that a module imports or defines, anywhere in it."""
    names: set[str | None] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import() | ast.ImportFrom():
                names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
            case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
                parameters = getattr(node, "type_params", [])  # since Python 3.12
                names |= {node.name, *(parameter.name for parameter in parameters)}
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                names.add(name)
            case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
                names.add(name)
            case ast.MatchMapping(rest=name):
                names.add(name)
    return {name for name in names if name}
