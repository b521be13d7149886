"""The model that distillation learns from."""

from specc.source.problems import Problems
from specc.tasks.classification.language import Classification
from specc.tasks.classifier.model import constructor, known_model
from specc.tasks.classifier.sizes import check_sizes, listed_sides
from specc.tasks.common.code import Name, Setting
from specc.tasks.common.plan import ImagesPlan, TeacherPlan
from specc.tasks.common.transforms import IMAGENET_MEAN, IMAGENET_STD
from specc.tasks.common.weights import check_here


def distillation(spec: Classification) -> list[Setting]:
    """The constants of a loss that is the teacher's in part."""
    if spec.distill is None:
        return []
    return [Setting("DISTILL_ALPHA", spec.distill.alpha, "share of the loss that is the teacher's")]


def plan_teacher(spec: Classification, data: ImagesPlan, problems: Problems) -> TeacherPlan | None:
    """The teacher, which gets the same images, if there is one."""
    teacher, key = spec.distill, ("distill", "name")
    if teacher is None:
        return None
    model = known_model(teacher.name, key, spec.task, problems)
    if model is None:
        return None
    check_here(teacher.weights, ("distill", "weights"), problems)
    check_sizes(model, {key: listed_sides(data.image_size)}, problems)
    weights = next((it for it in model.weights if it.name == model.default), None)
    mean = teacher.mean or spec.data.mean or (weights.mean if weights else IMAGENET_MEAN)
    std = teacher.std or spec.data.std or (weights.std if weights else IMAGENET_STD)
    return TeacherPlan(
        title=Name(model.name),
        # As it is built where it was trained: from pretrained weights, as teachers are.
        constructor=constructor(model, data.image_size, {}, pretrained=True),
        path=teacher.weights,
        temperature=teacher.temperature,
        mean=mean,
        std=std,
        renormalizes=(mean, std) != (data.mean, data.std),
    )
