"""The optimizer: its constants, its call, and which parameters have settings of their own."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from specc.catalog import models as catalog
from specc.language.optim import Lamb, Muon, Optim
from specc.source.diagnostics import nearest
from specc.source.keys import Key
from specc.source.problems import Problems
from specc.tasks.common.code import Call, Name, Setting

CLASSES = {
    "sgd": "torch.optim.SGD",
    "adam": "torch.optim.Adam",
    "adamw": "torch.optim.AdamW",
    "nadam": "torch.optim.NAdam",
    "rmsprop": "torch.optim.RMSprop",
    "adagrad": "torch.optim.Adagrad",
    "lamb": "Lamb",
    "muon": "Muon",
}


@dataclass(frozen=True)
class GroupsPlan:
    """The criteria that divide parameters into groups; empty or False ones play no part."""

    lr: Name  # of the parameter `name`: "LR" or a function's
    decay: Name
    lrs: dict[str, float]  # by the glob of parameters
    decays: dict[str, float]
    head: tuple[str, ...]  # where it has its own learning rate, prefixes of its parameters
    layers: tuple[tuple[str, ...], ...]  # prefixes of parameters, from the stem on
    no_decay: tuple[str, ...]  # globs of parameters
    own_no_decay: bool  # whether the model's own list is among them
    norms_decay: bool
    biases_decay: bool


@dataclass(frozen=True)
class OptimizerPlan:
    settings: tuple[Setting, ...]
    call: Call
    groups: GroupsPlan | None
    clip_norm: float | None
    timm: bool  # where it comes from


def plan_optimizer(
    spec: Optim, model: catalog.Model | None, *, some_frozen: bool, problems: Problems
) -> OptimizerPlan:
    own = {"name", "head_lr", "layer_decay", "groups", "no_decay", "clip_norm"}
    values = spec.model_dump(exclude=own)
    if not values.get("nesterov"):
        values.pop("nesterov", None)
    elif not values["momentum"]:
        problems.add(("optim", "nesterov"), "needs momentum; write e.g. momentum = 0.9")
    settings = [Setting(name.upper(), value) for name, value in values.items()]
    options = {name: Name(name.upper()) for name in values}
    if spec.head_lr:
        settings.append(Setting("HEAD_LR", spec.head_lr))
    if spec.layer_decay:
        comment = "of the learning rate, from each layer to the one before"
        settings.append(Setting("LAYER_DECAY", spec.layer_decay, comment))
    groups = _groups(spec, model, problems) if model else None
    parameters = "groups" if groups else "parameters" if some_frozen else "model.parameters()"
    return OptimizerPlan(
        settings=tuple(settings),
        call=Call(CLASSES[spec.name], (Name(parameters),), options),
        groups=groups,
        clip_norm=spec.clip_norm,
        timm=isinstance(spec, Lamb | Muon),
    )


def _groups(spec: Optim, model: catalog.Model, problems: Problems) -> GroupsPlan | None:
    lrs: dict[str, float] = {}
    decays: dict[str, float] = {}
    for index, group in enumerate(spec.groups or []):
        key: Key = ("optim", "groups", index)
        glob = _parameters(group.match, model, (*key, "match"), problems)
        if group.lr is None and group.weight_decay is None:
            problems.add(key, "needs a setting of its own; write lr, weight_decay or both")
        if group.lr is not None:
            lrs.setdefault(glob, group.lr)
        if group.weight_decay is not None:
            decays.setdefault(glob, group.weight_decay)
    no_decay = tuple(
        _parameters(pattern, model, ("optim", "no_decay", index), problems)
        for index, pattern in enumerate(spec.no_decay or [])
        if pattern not in ("norm", "bias")
    )
    norms_decay = "norm" not in (spec.no_decay or [])
    own_no_decay = () if norms_decay else model.no_decay
    own_lr = bool(lrs or spec.head_lr or spec.layer_decay)
    own_decay = bool(decays or spec.no_decay)
    if not own_lr and not own_decay:
        return None
    return GroupsPlan(
        lr=Name("learning_rate(name)" if own_lr else "LR"),
        decay=Name("weight_decay(name, parameter)" if own_decay else "WEIGHT_DECAY"),
        lrs=lrs,
        decays=decays,
        head=tuple(f"{layer}." for layer in model.head) if spec.head_lr else (),
        layers=_layers(model) if spec.layer_decay else (),
        no_decay=tuple(dict.fromkeys([*no_decay, *own_no_decay])),
        own_no_decay=bool(own_no_decay),
        norms_decay=norms_decay,
        biases_decay="bias" not in (spec.no_decay or []),
    )


def _parameters(pattern: str, model: catalog.Model, key: Key, problems: Problems) -> str:
    """Return the glob of parameters that a glob of modules or parameters means."""
    tree = catalog.tree(model.name)
    if any(fnmatchcase(name, pattern) for name in tree.parameters):
        return pattern
    inside = f"{pattern}.*"
    if not any(fnmatchcase(name, inside) for name in tree.parameters):
        hint = nearest(pattern, [*tree.modules, *tree.parameters])
        message = f'"{pattern}" matches no parameter of {model.name}'
        problems.add(key, f"{message}{hint}")
    return inside


def _layers(model: catalog.Model) -> tuple[tuple[str, ...], ...]:
    """Return the prefixes of the parameters of each stage.

    A norm that stands alone before the head is left out: it learns at the head's rate, as in BEiT
    (arXiv 2106.08254), which layer-wise decay comes from.
    """
    tree = catalog.tree(model.name)
    stages = [
        tuple(part if part in tree.parameters else f"{part}." for part in stage)
        for stage in model.stages
    ]
    while stages and _is_norm([n for n in tree.parameters if n.startswith(stages[-1])], tree):
        stages.pop()
    return tuple(stages)


def _is_norm(names: list[str], tree: catalog.ModelTree) -> bool:
    """Return whether some parameters are the scales and shifts of a norm: as many of each."""
    return len(names) == 2 and len({tree.parameters[name] for name in names}) == 1
