"""From the spec of an image classifier to its plan."""

from specc.diagnostics import visible
from specc.plan.code import Name
from specc.plan.data import data_requirements, plan_data
from specc.plan.export import plan_export, resizes
from specc.plan.model import known_model, plan_model, preprocessing
from specc.plan.optimizer import OptimizerPlan, plan_optimizer
from specc.plan.plan import LaunchPlan, ModelPlan, Plan
from specc.plan.teacher import plan_teacher
from specc.plan.train import plan_evaluate, plan_train
from specc.problems import Problems
from specc.spec.classification import Classification

PREDICTED = 3  # classes that predict.py prints for an image


def plan_classification(name: str, spec: Classification, problems: Problems) -> Plan:
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
    train = plan_train(spec, data, optimizer, evaluate, problems)
    teacher = plan_teacher(spec, data.image_size, problems)
    _check_batch(spec, problems)
    if problems or row is None or model is None:
        raise problems.error()
    return Plan(
        name=visible(name),
        title=Name(f"{spec.model.name} for {data.num_classes} classes"),
        model=model,
        data=data,
        optimizer=optimizer,
        train=train,
        teacher=teacher,
        evaluate=evaluate,
        predicted=min(PREDICTED, data.num_classes),
        resizes=resizes(data.eval_transforms),
        export=plan_export(spec.export, row),
        launch=LaunchPlan(spec.launch.gpus, spec.launch.nodes, spec.launch.endpoint),
        requirements=_requirements(spec, model, optimizer),
        files=_files(data.multi_label, bool(optimizer.groups), data.mix, teacher is not None),
    )


def _files(multi_label: bool, groups: bool, mixes: bool, teacher: bool) -> dict[str, str]:
    """The files of the project, and their templates."""
    evaluate = "evaluate_multilabel.py" if multi_label else "evaluate.py"
    files = {
        "README.md": "classification/README.md",
        "requirements.txt": "shared/requirements.txt",
        "train.py": "classification/train.py",
        "model.py": "classification/model.py",
        "data.py": "classification/data.py",
        "evaluate.py": f"classification/{evaluate}",
        "predict.py": "classification/predict.py",
        "export.py": "classification/export.py",
        "checkpoint.py": "shared/checkpoint.py",
        "distributed.py": "shared/distributed.py",
        "launch.sh": "shared/launch.sh",
        "smoke_test.py": "classification/smoke_test.py",
    }
    if groups:
        files["optimizer.py"] = "classification/optimizer.py"
    if mixes:
        files["mix.py"] = "classification/mix.py"
    if teacher:
        files["teacher.py"] = "classification/teacher.py"
    return files


def _check_batch(spec: Classification, problems: Problems) -> None:
    """A batch is divided among the GPUs that the spec names, if it names any."""
    gpus = (spec.launch.gpus or 1) * spec.launch.nodes
    size, parts, of = spec.train.batch_size, gpus, "GPUs"
    others = [("launch", "gpus"), ("launch", "nodes")]
    for name in ("mixup", "cutmix"):
        if getattr(spec.data, name):
            parts, of = 2 * gpus, "GPUs in pairs of images, which mixup and cutmix blend"
            others.append(("data", name))
    if size % parts:
        below = size - size % parts
        sizes = " or ".join(str(n) for n in (below, below + parts) if n)
        among = f"among {gpus} {of}" if gpus > 1 else "into pairs, which mixup and cutmix blend"
        message = f"{size} cannot be divided {among}; write {sizes}"
        problems.add(("train", "batch_size"), message, *others)


def _requirements(
    spec: Classification, model: ModelPlan, optimizer: OptimizerPlan
) -> tuple[str, ...]:
    requirements = {
        # 2.6 cannot write the conversion of uint8 images to floats as ONNX.
        "torch>=2.7" if spec.export.format == "onnx" else "torch>=2.6",
        "matplotlib>=3.8",
        "torchmetrics>=1.4",
        "tqdm>=4.66",
        *data_requirements(spec),
    }
    names = [spec.model.name, spec.distill.name if spec.distill else ""]
    if optimizer.timm or any(name.startswith("timm/") for name in names):
        requirements.add("timm>=1.0.20" if optimizer.timm else "timm>=1.0")
    if spec.export.format == "onnx":
        requirements |= {"onnxruntime>=1.22", "onnxscript>=0.5"}
    if spec.log.tensorboard:
        requirements.add("tensorboard>=2.16")
    if spec.log.wandb:
        requirements.add("wandb>=0.17")
    if spec.log.mlflow:
        requirements.add("mlflow>=2.12")
    if model.weights and model.weights.safetensors:
        requirements.add("safetensors>=0.4")
    if model.weights and model.weights.package:
        requirements.add(model.weights.package.replace("_", "-"))
    return tuple(sorted(requirements))
