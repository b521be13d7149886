"""From the spec of an image classifier to its plan."""

from specc.source.diagnostics import visible
from specc.source.problems import Problems
from specc.tasks.classification.data import data_requirements, plan_data
from specc.tasks.classification.language import Classification
from specc.tasks.classification.teacher import distillation, plan_teacher
from specc.tasks.classifier.evaluate import plan_evaluate
from specc.tasks.classifier.export import plan_export, resizes
from specc.tasks.classifier.loss import plan_loss
from specc.tasks.classifier.model import known_model, plan_model, preprocessing
from specc.tasks.common.batches import check_batch, check_norm
from specc.tasks.common.code import Name
from specc.tasks.common.files import shared_files
from specc.tasks.common.optimizer import OptimizerPlan, plan_optimizer
from specc.tasks.common.plan import (
    BatchesPlan,
    ClassificationPlan,
    ClassifierPlan,
    ImagesPlan,
    LaunchPlan,
)
from specc.tasks.common.requirements import classifier_requirements, plan_requirements
from specc.tasks.common.train import plan_train

PREDICTED = 3  # classes that predict.py prints for an image


def plan_classification(name: str, spec: Classification, problems: Problems) -> ClassificationPlan:
    """Decide everything for the project `name`.

    Raises:
        SpecError: with all problems, those found before included.
    """
    row = known_model(spec.model.name, ("model", "name"), spec.task, problems)
    weights = preprocessing(spec.model, row) if row else None
    data = plan_data(spec, row, weights, problems)
    model = plan_model(spec, row, data.image_size, problems) if row else None
    some_frozen = model is not None and model.freezes
    optimizer = plan_optimizer(spec.optim, row, some_frozen=some_frozen, problems=problems)
    evaluate = plan_evaluate(spec, data, problems)
    loss = plan_loss(
        spec, classes=data.num_classes, multi_label=data.multi_label, problems=problems
    )
    train = plan_train(
        spec,
        optimizer,
        [*loss.settings, *distillation(spec)],
        monitor=evaluate.monitor,
        recorded=Name("loss"),
        classes=Name("train_set.classes"),
        problems=problems,
    )
    teacher = plan_teacher(spec, data, problems)
    pairs = [name for name in ("mixup", "cutmix") if getattr(spec.data, name)]
    check_batch(spec, pairs, problems)
    if model:
        check_norm(spec, model, problems)
    if problems or row is None or model is None:
        raise problems.error()
    return ClassificationPlan(
        name=visible(name),
        title=Name(f"{spec.model.name} for {data.num_classes} classes"),
        folder="classification",
        loop="classification/train",
        model=model,
        data=data,
        data_folder=Name("Path" if data.named else "data_folder"),  # that torchvision may make
        batches=BatchesPlan(repeat=spec.data.repeat > 1, balance=spec.data.balance, mix=data.mix),
        loss=loss,
        optimizer=optimizer,
        train=train,
        teacher=teacher,
        evaluate=evaluate,
        predicted=min(PREDICTED, data.num_classes),
        resizes=spec.data.eval_transforms is not None and resizes(data.eval_transforms),
        export=plan_export(spec.export, row, data.image_size, depth=data.depth),
        launch=LaunchPlan(spec.launch.gpus, spec.launch.nodes, spec.launch.endpoint),
        requirements=plan_requirements(spec, model, optimizer, _requirements(spec, optimizer)),
        files=_files(model, data, optimizer, teacher=teacher is not None),
    )


def _files(
    model: ClassifierPlan, data: ImagesPlan, optimizer: OptimizerPlan, *, teacher: bool
) -> dict[str, str]:
    """Return the files of the project, and their templates."""
    evaluate = "evaluate_multilabel.py" if data.multi_label else "evaluate.py"
    files = shared_files(groups=bool(optimizer.groups), pretrained=model.reads_file or teacher) | {
        "README.md": "classification/README.md",
        "model.py": "classification/model.py",
        "data.py": "classification/data.py",
        "evaluate.py": f"classification/{evaluate}",
        "predict.py": "classification/predict.py",
        "export.py": "classification/export.py",
    }
    if data.mix:
        files["mix.py"] = "classification/mix.py"
    if teacher:
        files["teacher.py"] = "classification/teacher.py"
    return files


def _requirements(spec: Classification, optimizer: OptimizerPlan) -> set[str]:
    """Return the packages that a classifier's project needs beyond those of all."""
    names = [spec.model.name, spec.distill.name if spec.distill else ""]
    numpy = {"numpy>=1.26"} if spec.distill else set()  # for pretrained.py
    return data_requirements(spec) | classifier_requirements(spec, optimizer, names) | numpy
