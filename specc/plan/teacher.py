"""The model that distillation learns from."""

from specc.catalog import models as catalog
from specc.plan.code import Call, Name
from specc.plan.plan import TeacherPlan
from specc.problems import Problems
from specc.spec.distill import Distill


def plan_teacher(spec: Distill, task: str, problems: Problems) -> TeacherPlan:
    model = catalog.model(spec.name)
    if model is None or model.task != task:
        problems.add(("distill", "name"), f'no model "{spec.name}"')
    constructor = Call(f"models.{spec.name}", (), {"num_classes": Name("NUM_CLASSES")})
    return TeacherPlan(Name(spec.name), constructor, spec.weights, spec.temperature)
