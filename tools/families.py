"""The tables of families.toml, read for one model."""

import fnmatch
import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from tools import probe

Family = Mapping[str, Any]  # a table


def families_of(builders: Iterable[str], families: Mapping[str, Family]) -> dict[str, str]:
    """Return the name of each builder's family; those that are in none are left out."""
    found: dict[str, str] = {}
    for builder in sorted(builders):
        named = [
            family
            for family, table in families.items()
            if any(fnmatch.fnmatchcase(builder, pattern) for pattern in table["builders"])
        ]
        if len(named) > 1:
            raise ValueError(f"{builder} is in {named}")
        if named:
            found[builder] = named[0]
    return found


def stages_of(family: Family, network: nn.Module) -> list[list[str]]:
    """Return the stages of the model's family, spelt out."""
    stages: list[list[str]] = []
    for stage in family["stages"]:
        if cut := re.fullmatch(r"(.+)/(\w+)", stage):
            run: list[str] = []
            for child, module in _children(network, cut[1]).items():
                if type(module).__name__ != cut[2]:
                    run += [child] if probe.learned(module) else []
                elif run:
                    stages.append(run)
                    run = []
            stages += [run] if run else []
        elif each := re.fullmatch(r"(.+)\.\*", stage):
            stages += [[c] for c, m in _children(network, each[1]).items() if probe.learned(m)]
        elif span := re.fullmatch(r"(.+)\.(\d+)-(\d+)", stage):
            part = list(_children(network, span[1]).items())[int(span[2]) : int(span[3]) + 1]
            stages.append([child for child, module in part if probe.learned(module)])
        else:
            stages.append(stage.split())
    return stages


def _children(network: nn.Module, parent: str) -> dict[str, nn.Module]:
    named = network.get_submodule(parent).named_children()
    return {f"{parent}.{child}": module for child, module in named}
