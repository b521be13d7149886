"""From the spec of a detector to its plan."""

from specc.source.diagnostics import nearest, visible
from specc.source.problems import Problems
from specc.tasks.common.batches import check_batch, check_norm
from specc.tasks.common.code import Name
from specc.tasks.common.files import shared_files
from specc.tasks.common.optimizer import OptimizerPlan, plan_optimizer
from specc.tasks.common.plan import BatchesPlan, LaunchPlan
from specc.tasks.common.requirements import plan_requirements
from specc.tasks.common.train import plan_train
from specc.tasks.detection.data import plan_box_data
from specc.tasks.detection.formats.language import Voc, VocFolders
from specc.tasks.detection.formats.plan import plan_annotations
from specc.tasks.detection.language import Detection
from specc.tasks.detection.model import known_detector, plan_detector
from specc.tasks.detection.plans import (
    DetectionPlan,
    DetectorPlan,
    EvaluateBoxesPlan,
    ExportBoxesPlan,
)

NAMED_CLASSES = 60  # for more a picture of all classes would be metres high
# Before 1.8, faster-coco-eval cannot evaluate a model that finds nothing at all.
REQUIREMENTS = {"faster-coco-eval>=1.8", "onnx>=1.16", "onnxruntime>=1.22", "torchvision>=0.21"}
# COCO's metrics; the recall of max_detections is named after their number, as "AR100".
NUMBERS = "AP AP50 AP75 APs APm APl AR1 AR10 ARs ARm ARl".split()


def plan_detection(name: str, spec: Detection, problems: Problems) -> DetectionPlan:
    """Decide everything for the project `name`.

    Raises:
        SpecError: with all problems, those found before included.
    """
    row = known_detector(spec, problems)
    background = row is None or row.background
    annotations = plan_annotations(spec, background=background, problems=problems)
    data = plan_box_data(spec, row, problems) if row else None
    resized = data is not None and data.resizes
    model = plan_detector(spec, row, resized=resized, problems=problems) if row else None
    some_frozen = model is not None and model.freezes
    optimizer = plan_optimizer(spec.optim, row, some_frozen=some_frozen, problems=problems)
    train = plan_train(
        spec,
        optimizer,
        [],
        monitor=_monitor(spec, problems),
        recorded=Name("values"),
        classes=Name("CLASSES"),
        problems=problems,
    )
    check_batch(spec, [], problems)
    if model and row and row.name.startswith("ssdlite"):  # whose last maps are of one pixel
        check_norm(spec, model, problems)
    if problems or row is None or model is None or data is None:
        raise problems.error()
    count = len(annotations.classes) - background
    return DetectionPlan(
        name=visible(name),
        title=Name(f"{spec.model.name} for {count} {'class' if count == 1 else 'classes'}"),
        folder="detection",
        loop="detection/train",
        model=model,
        annotations=annotations,
        data=data,
        batches=BatchesPlan(
            repeat=spec.data.repeat > 1,
            grouped=spec.train.group_by_shape and not row.fixed_size,
        ),
        optimizer=optimizer,
        train=train,
        evaluate=EvaluateBoxesPlan(
            masks=data.masks,
            loss=spec.evaluate.loss,
            max_detections=spec.evaluate.max_detections,
            two_stage=row.draws,
            background=background,
            named=count <= NAMED_CLASSES,
        ),
        export=ExportBoxesPlan(masks=data.masks, two_stage=row.draws, resizes=not row.fixed_size),
        launch=LaunchPlan(spec.launch.gpus, spec.launch.nodes, spec.launch.endpoint),
        requirements=plan_requirements(
            spec, model, optimizer, REQUIREMENTS | annotations.requirements
        ),
        files=_files(model, optimizer, copy_paste=data.copy_paste),
    )


def _files(model: DetectorPlan, optimizer: OptimizerPlan, *, copy_paste: bool) -> dict[str, str]:
    """Return the files of the project, and their templates."""
    files = shared_files(groups=bool(optimizer.groups), pretrained=model.reads_file) | {
        "README.md": "detection/README.md",
        "model.py": "detection/model.py",
        "data.py": "detection/data.py",
        "annotations.py": "detection/annotations.py",
        "evaluate.py": "detection/evaluate.py",
        "predict.py": "detection/predict.py",
        "export.py": "detection/export.py",
    }
    if copy_paste:
        files["copy_paste.py"] = "detection/copy_paste.py"
    return files


def _monitor(spec: Detection, problems: Problems) -> str:
    """Return the metric that says which model is best."""
    masks = spec.task == "instance-segmentation"
    kinds = ("box", "mask") if masks else ("box",)
    numbers = [*NUMBERS, f"AR{spec.evaluate.max_detections}"]
    measured = [f"{kind}_{number}" for kind in kinds for number in numbers]
    measured += ["loss"] if spec.evaluate.loss else []
    default = (
        "mask_AP" if masks else "box_AP50" if isinstance(spec.data, Voc | VocFolders) else "box_AP"
    )
    monitor = spec.evaluate.monitor or default
    if monitor not in measured:
        names = [f'"{kind}_{number}"' for kind in kinds for number in ("AP", "AP50", "AR1")]
        message = f'must be a measured metric, e.g. {", ".join(names)}, not "{monitor}"'
        if monitor == "loss":
            message += ", which needs evaluate.loss = true"
        elif monitor.startswith("mask_"):
            message += '; masks are only for task = "instance-segmentation"'
        else:
            message += nearest(monitor, measured)
        others = [("evaluate", "loss"), ("evaluate", "max_detections"), ("task",)]
        problems.add(("evaluate", "monitor"), message, *others)
    return monitor
