"""The rooms of the compiler: nothing imports a stage to its right."""

import ast
from pathlib import Path

FLOORS = ["source catalog", "language", "tasks", "render", "project", "build"]
FLOORS += ["check explain init launch", "cli"]
FLOOR = {room: height for height, rooms in enumerate(FLOORS) for room in rooms.split()}


def test_nothing_imports_a_stage_to_its_right() -> None:
    for path in Path("specc").rglob("*.py"):
        room = path.relative_to("specc").parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("specc"):
                parts = (node.module or "").split(".")[1:2] or [it.name for it in node.names]
                for name in set(parts) - {"__version__"}:
                    assert FLOOR[name] <= FLOOR[room], f"{path}: imports specc.{name}"


def test_few_modules_stand_at_the_top() -> None:
    assert len([*Path("specc").glob("*.py")]) <= 6
