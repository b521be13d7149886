"""What a merge can break without a conflict: the syntax, and names that are no longer there."""

import ast
from collections.abc import Iterator


def broken(file: str, merged: str, yours: str) -> Iterator[str]:
    """What no longer works in the Python of a merged file: `file:line: what`.

    That is where it cannot be parsed, or where it uses what `yours` imports or defines, and
    `merged` no longer does.
    """
    try:
        tree = ast.parse(merged)
    except SyntaxError as error:
        yield f"{file}:{error.lineno}: {error.msg}"
        return
    except ValueError as error:  # null bytes
        yield f"{file}: {error}"
        return
    try:
        gone = _defined(ast.parse(yours)) - _defined(tree)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in gone:
            yield f"{file}:{node.lineno}: the generated code no longer has {node.id}"


def _defined(tree: ast.Module) -> set[str]:
    """The names that a module imports or defines, anywhere in it."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import() | ast.ImportFrom():
                names |= {(it.asname or it.name).partition(".")[0] for it in node.names}
            case ast.FunctionDef() | ast.ClassDef() | ast.AsyncFunctionDef():
                names.add(node.name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                names.add(name)
    return names
