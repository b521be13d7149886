"""From the spec of a video classifier to its plan."""

from specc.catalog.models import Weights
from specc.catalog.videos import VideoWeights
from specc.source.diagnostics import visible
from specc.source.problems import Problems
from specc.tasks.classification.plan import PREDICTED
from specc.tasks.classifier.evaluate import plan_evaluate
from specc.tasks.classifier.export import plan_export
from specc.tasks.classifier.loss import plan_loss
from specc.tasks.classifier.model import preprocessing as image_preprocessing
from specc.tasks.common.batches import check_batch, check_norm
from specc.tasks.common.code import Name
from specc.tasks.common.files import shared_files
from specc.tasks.common.optimizer import OptimizerPlan, plan_optimizer
from specc.tasks.common.plan import BatchesPlan, ClassifierPlan, LaunchPlan
from specc.tasks.common.requirements import classifier_requirements, plan_requirements
from specc.tasks.common.train import plan_train
from specc.tasks.video.data import plan_clips
from specc.tasks.video.formats.language import RawFrames
from specc.tasks.video.language import VideoClassification
from specc.tasks.video.model import (
    known_models,
    plan_tsn,
    plan_video_model,
    preprocessing,
    title,
)
from specc.tasks.video.plans import VideoPlan

DECODERS = {"pyav": {"av>=17", "numpy>=1.26"}, "torchcodec": {"torchcodec>=0.17"}}


def plan_video(name: str, spec: VideoClassification, problems: Problems) -> VideoPlan:
    """Decide everything for the project `name`.

    Raises:
        SpecError: with all problems, those found before included.
    """
    row, backbone = known_models(spec.model, problems)
    weights: Weights | VideoWeights | None = None
    if backbone:
        weights = image_preprocessing(spec.model, backbone)
    elif row:
        weights = preprocessing(spec.model, row)
    data = plan_clips(spec, row, weights, problems)
    model = tsn = None
    if row and backbone:
        model, tsn = plan_tsn(spec, row, backbone, data.image_size, problems)
    elif row:
        model = plan_video_model(spec, row, problems)
    some_frozen = model is not None and model.freezes
    optimizer = plan_optimizer(spec.optim, row, some_frozen=some_frozen, problems=problems)
    evaluate = plan_evaluate(spec, data, problems)
    loss = plan_loss(spec, classes=data.num_classes, multi_label=False, problems=problems)
    train = plan_train(
        spec,
        optimizer,
        loss.settings,
        monitor=evaluate.monitor,
        recorded=Name("loss"),
        classes=Name("train_set.classes"),
        problems=problems,
    )
    pairs = [name for name in ("mixup", "cutmix") if getattr(spec.data, name)]
    check_batch(spec, pairs, problems)
    if tsn and model and data.segments == 1:  # whose last maps may be of one pixel
        check_norm(spec, model, problems)
    if problems or row is None or model is None:
        raise problems.error()
    frames = "SEGMENTS" if tsn else "FRAMES"
    return VideoPlan(
        name=visible(name),
        title=Name(f"{title(spec.model)} for {data.num_classes} classes"),
        folder="video",
        loop="classification/train",
        sample=Name("video"),
        is_sample=Name("is_video_file"),
        model=model,
        tsn=tsn,
        data=data,
        batches=BatchesPlan(repeat=spec.data.repeat > 1, balance=spec.data.balance, mix=data.mix),
        loss=loss,
        optimizer=optimizer,
        train=train,
        teacher=None,
        evaluate=evaluate,
        predicted=min(PREDICTED, data.num_classes),
        export=plan_export(spec.export, backbone or row, data.image_size, frames),
        decoder=spec.data.decoder,
        launch=LaunchPlan(spec.launch.gpus, spec.launch.nodes, spec.launch.endpoint),
        requirements=plan_requirements(spec, model, optimizer, _requirements(spec, optimizer)),
        files=_files(spec, model, optimizer, mixes=data.mix),
    )


def _files(
    spec: VideoClassification, model: ClassifierPlan, optimizer: OptimizerPlan, *, mixes: bool
) -> dict[str, str]:
    """Return the files of the project, and their templates."""
    files = shared_files(groups=bool(optimizer.groups), pretrained=model.reads_file) | {
        "README.md": "classification/README.md",
        "model.py": "video/model.py",
        "data.py": "video/data.py",
        "video.py": f"video/decoders/{spec.data.decoder}.py",
        "evaluate.py": "classification/evaluate.py",
        "predict.py": "video/predict.py",
        "export.py": "classification/export.py",
    }
    if mixes:
        files["mix.py"] = "classification/mix.py"
    return files


def _requirements(spec: VideoClassification, optimizer: OptimizerPlan) -> set[str]:
    """Return the packages that a video classifier's project needs beyond those of all."""
    requirements = {"torchvision>=0.21", *DECODERS[spec.data.decoder]}
    if isinstance(spec.data, RawFrames):
        requirements.add("pillow>=10.3")
    return requirements | classifier_requirements(spec, optimizer, [spec.model.backbone or ""])
