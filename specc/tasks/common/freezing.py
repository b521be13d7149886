"""The frozen parts of a model, by epoch."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache

from specc.catalog import models as catalog
from specc.language.model import Freeze, Unfreeze
from specc.source.diagnostics import nearest, show
from specc.source.keys import Key
from specc.source.problems import Problems


def frozen_by_epoch(
    freeze: Freeze,
    unfreeze: Sequence[Unfreeze],
    epochs: int,
    model: catalog.Model,
    problems: Problems,
) -> dict[int, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Return the frozen modules and other parameters, by the epoch from which on they are."""
    named = _named(freeze, ("model", "freeze"), model, problems)
    frozen = None if named is None else set(inside(model, named))
    by_epoch = {0: _fewest(model, frozen or set())}
    for index, entry in enumerate(unfreeze):
        key = ("model", "unfreeze", index)
        last, before = max(by_epoch), frozen
        if entry.epoch >= epochs:
            message = f"must be below schedule.epochs ({epochs}), not {entry.epoch}"
            problems.add((*key, "epoch"), message, ("schedule", "epochs"))
        elif entry.epoch <= last:
            message = f"must be above the one before ({last}), not {entry.epoch}"
            problems.add((*key, "epoch"), message)
        named = _named(entry.freeze, (*key, "freeze"), model, problems)
        frozen = None if named is None else set(inside(model, named))
        if frozen is not None and before is not None and not frozen < before:
            more = [name for name in catalog.tree(model.name).parameters if name in frozen - before]
            what = f"{more[0]} is not frozen before" if more else "the same is frozen before"
            message = f"{what}; write part of what is" if before else "nothing is frozen by then"
            problems.add((*key, "freeze"), message, ("model", "freeze"))
        by_epoch[entry.epoch] = _fewest(model, frozen or set())
    return by_epoch


def _fewest(model: catalog.Model, frozen: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the fewest modules that hold all these parameters, and the parameters outside them."""
    tree = catalog.tree(model.name)
    left = set(frozen)
    modules: list[str] = []
    parameters = _parameters(model.name)
    for module in tree.modules:
        if not left:
            break
        own = parameters.get(module, set())
        if own and own <= left:
            modules.append(module)
            left -= own
    return tuple(modules), tuple(name for name in tree.parameters if name in left)


@cache
def _parameters(name: str) -> dict[str, set[str]]:
    """Return the parameters in each module of a model."""
    found: dict[str, set[str]] = {}
    for parameter in catalog.tree(name).parameters:
        parts = parameter.split(".")
        for end in range(1, len(parts) + 1):
            found.setdefault(".".join(parts[:end]), set()).add(parameter)
    return found


def _named(freeze: Freeze, key: Key, model: catalog.Model, problems: Problems) -> list[str] | None:
    """Return the modules and parameters that `freeze` names; None if it names what there is not."""
    stages = model.stages
    if freeze == "none":
        return []
    if freeze == "backbone":
        return backbone(model)
    if isinstance(freeze, int):
        if freeze >= len(stages):
            message = f"{model.name} has {len(stages) - 1} stages after its stem"
            problems.add(key, f"{message}, not {freeze}")
            return None
        return [name for stage in stages[: freeze + 1] for name in stage]
    tree = catalog.tree(model.name)
    known = [*tree.modules, *tree.parameters]
    named: list[str] = []
    wrong = False
    for index, pattern in enumerate(freeze):
        matches = [name for name in known if fnmatchcase(name, pattern)]
        if not matches:
            inner = [name for name in known if name.endswith(f".{pattern}")]
            hint = f'; did you mean "{inner[0]}"?' if inner else ""
            hint = hint or ("" if "*" in pattern else nearest(pattern, known))
            hint = hint or f"; its stages are {_show(stages)}"
            problems.add((*key, index), f"no such module in {model.name}{hint}")
        elif not (found := set(inside(model, matches))):
            message = f"{show(pattern)} matches no weights; leave it out"
            problems.add((*key, index), message)
        elif found & set(inside(model, model.head)):
            message = f'the new head, {model.head[0]}, would stay random; write "backbone"'
            problems.add((*key, index), message)
        else:
            named += matches
            continue
        wrong = True
    return None if wrong else named


def backbone(model: catalog.Model) -> list[str]:
    return [name for stage in model.stages for name in stage]


def inside(model: catalog.Model, names: Iterable[str]) -> list[str]:
    """Return the parameters in some modules, and those that are themselves named."""
    prefixes = tuple(f"{name}." for name in names)
    return [p for p in catalog.tree(model.name).parameters if f"{p}.".startswith(prefixes)]


def _show(stages: tuple[tuple[str, ...], ...]) -> str:
    return ", ".join("+".join(stage) for stage in stages)
