"""Every key of a spec's language, and other values that it could have there."""

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum
from itertools import islice
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from specc.language.parse import TAGS
from specc.language.section import Section
from specc.source.keys import Key


class LeftOut(Enum):
    """The stand-in for the value of a key that is left out of a spec."""

    LEFT_OUT = "left out"


MODELS = (
    "resnet50",
    "resnet18",
    "resnet101",
    "efficientnet_b0",
    "efficientnet_b1",
    "swin_t",
    "swin_s",
    "vit_b_16",
    "vit_b_32",
    "convnext_tiny",
    "convnext_small",
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "retinanet_resnet50_fpn",
    "retinanet_resnet50_fpn_v2",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
    "r2plus1d_18",
    "r3d_18",
    "swin3d_t",
    "swin3d_s",
    "mvit_v1_b",
    "mvit_v2_s",
    "timm/hgnet_small",
)
# Values that types do not tell of, by key; those that fit elsewhere only do no harm.
EXAMPLES: dict[str, tuple[Any, ...]] = {
    "model.name": MODELS,
    "model.backbone": MODELS[:2],
    "model.unfreeze.freeze": ("none", 0),
    "model.weights": ("none",),
    "model.weights.source": ("weights.pth",),
    "model.weights.rename": ({"other.": ""},),
    "model.options": ({"box_detections_per_img": 50},),
    "data.image_size": ([96, 64],),
    "data.train_transforms": ([{"name": "CenterCrop", "size": 96}],),
    "data.train_transforms.name": ("CenterCrop", "RandomVerticalFlip", "RandomHorizontalFlip"),
    "data.eval_transforms": ([{"name": "CenterCrop", "size": 96}],),
    "data.eval_transforms.name": ("CenterCrop", "RandomVerticalFlip"),
    "data.train": ("train", "test", "extra"),
    "data.val": ("val", "test", "extra"),
    "data.test": ("test", "extra"),
    "data.mean": ([0.4, 0.5, 0.6],),
    "data.std": ([0.2, 0.3, 0.4],),
    "data.value_range": ([0, 4095], [0, 1023]),
    "data.separator": ("\t", ","),
    "data.delimiter": (";", "\t"),
    "optim.groups": ([{"match": "*.weight", "lr": 0.5}], [{"match": "*.bias", "lr": 0.5}]),
    "optim.groups.match": ("*.weight", "*.bias"),
    "optim.no_decay": (["norm"], ["bias"]),
    "distill.name": MODELS[:2],
    "distill.mean": ([0.4, 0.5, 0.6],),
    "distill.std": ([0.2, 0.3, 0.4],),
    "evaluate.monitor": ("loss", "top1", "box_AP", "box_AP75"),
}


@dataclass(frozen=True)
class Option:
    """A key of the language, as it stands in a spec."""

    key: Key
    value: Any  # the default, where it is not written; None where there is none
    kind: Any  # its type, with bounds
    section: type[Section]  # that it is a key of
    # Where the key chooses among sections: which one each value means.
    variants: Mapping[str, type[Section]] = field(default_factory=dict)
    absent: bool = False  # whether the table that it belongs in is not there, by default either


def options(
    section: type[Section],
    value: Section | None,
    key: Key = (),
    variants: Mapping[str, type[Section]] | None = None,
) -> Iterator[Option]:
    """Yield all keys of a section with this value, and of those in it, in the language's order."""
    for name, info in section.model_fields.items():
        here, now = (*key, name), info.get_default()
        if value is not None:
            now = getattr(value, name)
        kind = _annotated(info)
        chosen = (variants or {}) if key and name == TAGS.get(str(key[0])) else {}
        kinds = list(_members(kind))
        inner = [it for it in kinds if _is_section(it)]
        if len(inner) < len(kinds):
            known = None if now is PydanticUndefined else now
            yield Option(here, known, kind, section, chosen, absent=value is None)
        if isinstance(now, Section):
            yield from options(type(now), now, here, _tagged(inner, type(now), here))
        elif isinstance(now, list):
            for index, element in enumerate(now):
                if isinstance(element, Section):
                    yield from options(type(element), element, (*here, index))
        elif inner and now in (None, PydanticUndefined):
            yield from options(inner[0], None, here)
    for name, extra in ((value and value.model_extra) or {}).items():
        yield Option((*key, name), extra, type(extra), section)


def changes(option: Option, tree: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield other values of a key, and `tree`, the spec, with each of them instead.

    They are likely to be valid, but not sure to be. The last, for a key that is written, is to
    leave it out.
    """
    *parents, last = option.key
    written, there = _find(tree, option.key)
    value = written if there else option.value
    tried = [value]
    for other in _others(option.kind, value, _path(option.key), option.variants):
        if other in tried and type(other) is type(tried[tried.index(other)]):
            continue
        tried.append(other)
        changed = deepcopy(tree)
        table: Any = changed
        for index, part in enumerate(parents, 1):
            if isinstance(table, dict) and part not in table:
                new = index == len(parents)
                table[part] = _minimal(option.section, _path(tuple(parents))) if new else {}
            table = table[part]
        table[last] = other
        _fit(table, option, other)
        yield other, changed
    if there:
        changed = deepcopy(tree)
        table, _ = _find(changed, tuple(parents))
        del table[last]
        yield LeftOut.LEFT_OUT, changed


def _fit(table: dict[str, Any], option: Option, value: Any) -> None:
    """Drop the keys that do not go with a value that chooses a section, and add what it needs."""
    last = str(option.key[-1])
    if variant := option.variants.get(value) if isinstance(value, str) else None:
        before, after = option.section.model_fields, variant.model_fields
        for name in [it for it in table if it != last]:
            if name not in after or after[name].annotation != before[name].annotation:
                del table[name]
        for name, needed in _minimal(variant, _path(option.key[:-1])).items():
            table.setdefault(name, needed)
    elif isinstance(value, str) and value.endswith("Flip"):  # which has no arguments
        for name in [it for it in table if it != last]:
            del table[name]


def _find(tree: Any, key: Key) -> tuple[Any, bool]:
    """Return the value at `key`, and whether there is one."""
    for part in key:
        if not (part in tree if isinstance(tree, dict) else isinstance(tree, list)):
            return None, False
        tree = tree[part]
    return tree, True


def _path(key: Key) -> str:
    return ".".join(part for part in key if isinstance(part, str))


# ---- types ----


def _annotated(info: FieldInfo) -> Any:
    kind: Any = info.annotation
    for it in info.metadata:
        kind = Annotated[kind, it]
    return kind


def _members(kind: Any) -> Iterator[Any]:
    """Yield the types of which a value may be one."""
    origin = get_origin(kind)
    if origin is Annotated:
        yield from _members(get_args(kind)[0])
    elif origin in (Union, UnionType):
        for it in get_args(kind):
            yield from _members(it)
    else:
        yield kind


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Section)


def _tagged(
    sections: list[type[Section]], current: type[Section], key: Key
) -> dict[str, type[Section]]:
    """Return the values of the key that chooses among sections, those of the current one first."""
    tag = TAGS.get(str(key[0]))
    if tag is None or len(sections) < 2:
        return {}
    ordered = sorted(sections, key=lambda it: it is not current)
    return {name: it for it in ordered for name in get_args(it.model_fields[tag].annotation)}


def _bounds(metadata: tuple[Any, ...]) -> list[Any]:
    """Yield the bounds of an annotation, in a `Field` or by themselves."""
    found = [m for it in metadata for m in (it.metadata if isinstance(it, FieldInfo) else [it])]
    return [it for it in found if isinstance(it, Gt | Ge | Lt | Le)]


# ---- values ----


def _others(
    kind: Any,
    value: Any,
    path: str,
    variants: Mapping[str, type[Section]] | None = None,
    bounds: tuple[Any, ...] = (),
) -> Iterator[Any]:
    """Return values of a type other than `value`, the most telling first; None is no value."""
    if variants:
        yield from (it for it in variants if it != value)
        return
    if not bounds:
        names = any(it is str or get_origin(it) is Literal for it in _members(kind))
        yield from (it for it in EXAMPLES.get(path, ()) if names or not isinstance(it, str))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        yield from _others(arguments[0], value, path, None, (*bounds, *arguments[1:]))
    elif origin in (Union, UnionType):
        for it in arguments:
            yield from _others(it, value, path, None, bounds or (None,))
    elif origin is Literal:
        yield from (it for it in arguments if it != value)
    elif origin is tuple:
        yield from _tuples(arguments, value, path)
    elif origin is list or kind is list:
        yield from _lists(arguments[0] if arguments else None, value, path)
    elif origin is dict and isinstance(value, dict):
        yield from _tables(arguments[1], value, path)
    elif kind is bool:
        yield not value
    elif kind in (int, float):
        yield from _numbers(kind, value, _bounds(bounds))
    elif kind is str:
        yield from _texts(value)
    elif _is_section(kind) and not isinstance(value, dict):
        yield from _sections(kind, path)


def _numbers(kind: type, value: Any, bounds: list[Any]) -> Iterator[Any]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        found = [value * 2, value / 2, value + 1, value - 1, 0.5, 0]
    else:
        found = [2, 8, 1, 64] if kind is int else [0.5, 0.1, 2.0, 10.0]
    for number in found:
        number = int(number) if kind is int else float(f"{number:.6g}")
        if all(_within(number, it) for it in bounds):
            yield number


def _within(number: Any, bound: Any) -> bool:
    match bound:
        case Gt():
            return bool(number > bound.gt)
        case Ge():
            return bool(number >= bound.ge)
        case Lt():
            return bool(number < bound.lt)
    return bool(number <= bound.le)


def _texts(value: Any) -> Iterator[str]:
    """Return another name or path; for data that are read, another way to write the same path."""
    if not isinstance(value, str) or not value.strip(". "):
        yield "other"
        return
    folder, slash, name = value.rpartition("/")
    yield f"{folder}{slash}other-{name}"
    if "://" not in value:
        yield f"./{value}"


def _tuples(kinds: tuple[Any, ...], value: Any, path: str) -> Iterator[list[Any]]:
    before = list(value) if isinstance(value, list | tuple) else [None] * len(kinds)
    if len(before) == len(kinds):
        each = [islice(_others(*it, path), 2) for it in zip(kinds, before, strict=True)]
        yield from map(list, zip(*each, strict=False))


def _lists(kind: Any, value: Any, path: str) -> Iterator[list[Any]]:
    if not isinstance(value, list) or not value:
        found = list(islice(_others(kind, None, f"{path}[]"), 3))
        yield from ([it] for it in found)
        yield found[:2]
        return
    kind = type(value[0]) if kind is None else kind
    for other in islice(_others(kind, value[0], f"{path}[]"), 4):
        yield [other, *value[1:]]
    every = [next(_others(kind, it, f"{path}[]"), it) for it in value]
    yield every
    yield value[1:]
    yield value[:-1]


def _tables(kind: Any, value: dict[str, Any], path: str) -> Iterator[dict[str, Any]]:
    for name, it in value.items():
        for other in islice(_others(kind, it, f"{path}[]"), 2):
            yield value | {name: other}


def _sections(section: type[Section], path: str) -> Iterator[dict[str, Any]]:
    """Return tables of the required keys; if none is required, also of each single key."""
    needed = _minimal(section, path)
    yield needed
    if not needed:
        for name, info in section.model_fields.items():
            for other in islice(_others(_annotated(info), None, f"{path}.{name}"), 1):
                yield {name: other}


def _minimal(section: type[Section], path: str) -> dict[str, Any]:
    path = path.removesuffix("[]")
    return {
        name: next(_others(_annotated(info), None, f"{path}.{name}"))
        for name, info in section.model_fields.items()
        if info.is_required()
    }
