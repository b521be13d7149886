"""From a plan to the text of every file of a project."""

import ast
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from shlex import quote
from textwrap import indent
from typing import Any

import black
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.ext import Extension
from markupsafe import Markup

from specc.tasks.common.code import Name, python
from specc.tasks.common.plan import Plan

HERE = Path(__file__).parent
# An installed specc carries the templates inside; a checkout has them beside.
TEMPLATES = HERE / "templates" if (HERE / "templates").exists() else HERE.parent / "templates"


def render(plan: Plan) -> dict[str, str]:
    """Return the files of the project that `plan` describes: path and text."""
    return {path: finished(path, draft(plan, path)) for path in plan.files}


def draft(plan: Plan, path: str) -> str:
    """Return the text of one of its files, before what takes most of the time."""
    context = {name: getattr(plan, name) for name in plan.__dataclass_fields__}
    return _render(plan.files[path], context)


def finished(path: str, text: str) -> str:
    """Return a draft as it is written: code without unused imports, and formatted."""
    return _formatted(text) if Path(path).suffix == ".py" else text


@lru_cache(maxsize=4096)  # a key of the spec changes few files, and Black takes its time
def _formatted(text: str) -> str:
    return black.format_str(without_unused_imports(text), mode=black.Mode())


def _render(template: str, context: Mapping[str, Any]) -> str:
    return _environment(Path(template).suffix).get_template(template).render(context)


def _shell(value: Any) -> str:
    return quote(str(value))


def _markdown(value: Any) -> str:
    """Fence code with more backticks than it has inside."""
    if isinstance(value, Name):
        return value
    ticks = "`" * (1 + max(map(len, re.findall("`+", str(value))), default=0))
    return f"{ticks} {value} {ticks}" if len(ticks) > 1 else f"`{value}`"


WRITERS: dict[str, Callable[[Any], str]] = {
    ".py": python,
    ".sh": _shell,
    ".md": _markdown,
    ".txt": str,
}


def _block(text: str, keep: object) -> Markup:
    """Filter a compound statement, `#% filter block(keep)`: without `keep`, its body alone."""
    if keep:
        return Markup(text)
    _, _, body = text.partition("\n")
    return Markup(re.sub("^    ", "", body, flags=re.MULTILINE))


def _indented(text: str, width: int) -> Markup:
    """Indent what is included in a block, by `#% filter indented(width)`."""
    return Markup(indent(text, " " * width))


class ControlLines(Extension):
    """Lets a template say `#% if …` in a line of its own, which Python takes for a comment.

    Jinja's own line statements would swallow the empty lines after them.
    """

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
        return re.sub(r"^[ \t]*#%(.*)$", r"{%\1 %}", source, flags=re.MULTILINE)


@cache
def _environment(suffix: str) -> Environment:
    """Configure Jinja for files of one language.

    Whatever a template writes with {{ }} is quoted as that language wants it. Jinja's own
    mechanism against unescaped HTML sees to that: only Markup is taken as it is.
    """
    write = WRITERS[suffix]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=lambda value: (value if isinstance(value, Markup) else Markup(write(value))),
        extensions=[ControlLines],
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"block": _block, "indented": _indented}
    return environment


def without_unused_imports(source: str) -> str:
    """Drop what a template imports for a choice that this plan did not make."""
    tree = ast.parse(source)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    lines: list[str | None] = list(source.splitlines())
    for node in tree.body:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        kept = [a for a in node.names if (a.asname or a.name.partition(".")[0]) in used]
        if len(kept) < len(node.names):
            assert node.end_lineno is not None
            lines[node.lineno - 1 : node.end_lineno] = [None] * (node.end_lineno - node.lineno + 1)
            if kept:
                node.names = kept
                lines[node.lineno - 1] = ast.unparse(node)
    return "\n".join(line for line in lines if line is not None) + "\n"
