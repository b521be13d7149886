"""The model that distillation learns from."""

from specc.source.problems import Problems
from specc.tasks.classification.channels import agreed, published, rebuilt, rgb_convs
from specc.tasks.classification.language import Classification
from specc.tasks.classifier.model import constructor, known_model
from specc.tasks.classifier.sizes import check_sizes, listed_sides
from specc.tasks.common.code import Name, Setting
from specc.tasks.common.plan import ImagesPlan, TeacherPlan
from specc.tasks.common.weights import check_here


def distillation(spec: Classification) -> list[Setting]:
    """Return the constants of a loss that is the teacher's in part."""
    if spec.distill is None:
        return []
    return [Setting("DISTILL_ALPHA", spec.distill.alpha, "share of the loss that is the teacher's")]


def plan_teacher(spec: Classification, data: ImagesPlan, problems: Problems) -> TeacherPlan | None:
    """Return the teacher, which gets the same images, if there is one."""
    teacher, key = spec.distill, ("distill", "name")
    if teacher is None:
        return None
    model = known_model(teacher.name, key, spec.task, problems)
    if model is None:
        return None
    check_here(teacher.weights, ("distill", "weights"), problems)
    check_sizes(model, {key: listed_sides(data.image_size)}, problems)
    weights = next((it for it in model.weights if it.name == model.default), None)
    channels = spec.data.channels
    convs = rgb_convs(model, key, channels, problems)
    default_mean, default_std = (data.mean, data.std)
    if not data.bands:
        default_mean, default_std = published(weights, channels)
    own_mean = agreed(teacher.mean, ("distill", "mean"), channels, problems)
    own_std = agreed(teacher.std, ("distill", "std"), channels, problems)
    mean = own_mean or tuple(spec.data.mean or default_mean)
    std = own_std or tuple(spec.data.std or default_std)
    return TeacherPlan(
        title=Name(model.name),
        # As it is built where it was trained: from pretrained weights, as teachers are.
        constructor=constructor(model, data.image_size, {}, pretrained=True, channels=channels),
        input_conv=rebuilt(model, convs, "teacher"),
        path=teacher.weights,
        temperature=teacher.temperature,
        mean=mean,
        std=std,
        renormalizes=(mean, std) != (data.mean, data.std),
    )
