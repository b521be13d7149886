"""The language as a whole: every key is described, does something, and is in the schema."""

import json
import pickle
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from specc import build, tasks
from specc.language.schema import schema_text
from specc.language.section import Section
from specc.render import render
from specc.source.diagnostics import SpecError
from specc.source.read import read
from specc.tasks.classification.formats.language import Transform
from specc.tasks.classification.language import Classification
from specc.tasks.detection.language import Detection
from specc.tasks.video.language import VideoClassification

ROOT = Path(__file__).parent.parent
SPECS = sorted((ROOT / "specs").glob("*.toml"))

# For each key a spec in which it counts, and another value. Sections with a choice of kinds are
# written "optim=adamw". A key that is not here, or changes nothing, fails the test.
Changes = dict[str, tuple[dict[str, Any], Any]]

# ---- what the tasks have in common ----

STEPS = {"name": "multistep", "milestones": [2]}
GROUP = {"optim": {"groups": [{"match": "*layer1", "lr": 0.5, "weight_decay": 0.5}]}}
SHARED: Changes = {
    "model.weights": ({}, "none"),
    "model.freeze": ({}, 0),
    "data.mean": ({}, [0.1, 0.2, 0.3]),
    "data.std": ({}, [0.1, 0.2, 0.3]),
    "data.repeat": ({}, 8),
    "data.val_fraction": ({}, 0.2),
    "optim=sgd.name": ({}, "adamw"),
    "optim=sgd.lr": ({}, 0.5),
    "optim=sgd.weight_decay": ({}, 0.5),
    "optim=sgd.momentum": ({}, 0.5),
    "optim=sgd.nesterov": ({}, True),
    "optim=adam.name": ({"optim": {"name": "adam"}}, "sgd"),
    "optim=adam.lr": ({"optim": {"name": "adam"}}, 0.5),
    "optim=adam.weight_decay": ({"optim": {"name": "adam"}}, 0.5),
    "optim=adam.betas": ({"optim": {"name": "adam"}}, [0.5, 0.6]),
    "optim=adamw.name": ({"optim": {"name": "adamw"}}, "sgd"),
    "optim=adamw.lr": ({"optim": {"name": "adamw"}}, 0.5),
    "optim=adamw.weight_decay": ({"optim": {"name": "adamw"}}, 0.5),
    "optim=adamw.betas": ({"optim": {"name": "adamw"}}, [0.5, 0.6]),
    "optim=nadam.name": ({"optim": {"name": "nadam"}}, "sgd"),
    "optim=nadam.lr": ({"optim": {"name": "nadam"}}, 0.5),
    "optim=nadam.weight_decay": ({"optim": {"name": "nadam"}}, 0.5),
    "optim=nadam.betas": ({"optim": {"name": "nadam"}}, [0.5, 0.6]),
    "optim=rmsprop.name": ({"optim": {"name": "rmsprop"}}, "sgd"),
    "optim=rmsprop.lr": ({"optim": {"name": "rmsprop"}}, 0.5),
    "optim=rmsprop.weight_decay": ({"optim": {"name": "rmsprop"}}, 0.5),
    "optim=rmsprop.momentum": ({"optim": {"name": "rmsprop"}}, 0.5),
    "optim=rmsprop.alpha": ({"optim": {"name": "rmsprop"}}, 0.5),
    "optim=adagrad.name": ({"optim": {"name": "adagrad"}}, "sgd"),
    "optim=adagrad.lr": ({"optim": {"name": "adagrad"}}, 0.5),
    "optim=adagrad.weight_decay": ({"optim": {"name": "adagrad"}}, 0.5),
    "optim=lamb.name": ({"optim": {"name": "lamb"}}, "sgd"),
    "optim=lamb.lr": ({"optim": {"name": "lamb"}}, 0.5),
    "optim=lamb.weight_decay": ({"optim": {"name": "lamb"}}, 0.5),
    "optim=lamb.betas": ({"optim": {"name": "lamb"}}, [0.5, 0.6]),
    "optim=muon.name": ({"optim": {"name": "muon"}}, "sgd"),
    "optim=muon.lr": ({"optim": {"name": "muon"}}, 0.5),
    "optim=muon.weight_decay": ({"optim": {"name": "muon"}}, 0.5),
    "optim=muon.momentum": ({"optim": {"name": "muon"}}, 0.5),
    "optim.groups": ({}, [{"match": "*layer1", "lr": 0.5}]),
    "schedule.warmup": ({}, {"steps": 3}),
    "optim.head_lr": ({}, 0.5),
    "optim.layer_decay": ({}, 0.5),
    "optim.no_decay": ({}, ["norm"]),
    "optim.clip_norm": ({}, 0.5),
    "optim.groups.match": (GROUP, "*layer2"),
    "optim.groups.lr": (GROUP, 0.25),
    "optim.groups.weight_decay": (GROUP, 0.25),
    "schedule=cosine.name": ({}, "constant"),
    "schedule=cosine.epochs": ({}, 9),
    "schedule=poly.name": ({"schedule": {"name": "poly"}}, "constant"),
    "schedule=poly.epochs": ({"schedule": {"name": "poly"}}, 9),
    "schedule=poly.power": ({"schedule": {"name": "poly"}}, 0.5),
    "schedule=multistep.name": ({"schedule": STEPS}, "constant"),
    "schedule=multistep.epochs": ({"schedule": STEPS}, 9),
    "schedule=multistep.milestones": ({"schedule": STEPS}, [3]),
    "schedule=multistep.gamma": ({"schedule": STEPS}, 0.5),
    "schedule=step.name": ({"schedule": {"name": "step", "step_size": 2}}, "constant"),
    "schedule=step.epochs": ({"schedule": {"name": "step", "step_size": 2}}, 9),
    "schedule=step.step_size": ({"schedule": {"name": "step", "step_size": 2}}, 3),
    "schedule=step.gamma": ({"schedule": {"name": "step", "step_size": 2}}, 0.5),
    "schedule=constant.name": ({"schedule": {"name": "constant"}}, "cosine"),
    "schedule=constant.epochs": ({"schedule": {"name": "constant"}}, 9),
    "schedule=plateau.name": ({"schedule": {"name": "plateau"}}, "constant"),
    "schedule=plateau.epochs": ({"schedule": {"name": "plateau"}}, 9),
    "schedule=plateau.patience": ({"schedule": {"name": "plateau"}}, 3),
    "schedule=plateau.gamma": ({"schedule": {"name": "plateau"}}, 0.5),
    "schedule=onecycle.name": ({"schedule": {"name": "onecycle"}}, "constant"),
    "schedule=onecycle.epochs": ({"schedule": {"name": "onecycle"}}, 9),
    "schedule=onecycle.pct_start": ({"schedule": {"name": "onecycle"}}, 0.5),
    "schedule=onecycle.div_factor": ({"schedule": {"name": "onecycle"}}, 5.0),
    "schedule.warmup.steps": ({"schedule": {"warmup": {"steps": 3}}}, 4),
    "schedule.warmup.epochs": ({"schedule": {"warmup": {"epochs": 3}}}, 4),
    "schedule.warmup.factor": ({"schedule": {"warmup": {"steps": 3}}}, 0.5),
    "train.batch_size": ({}, 8),
    "train.max_batch_per_gpu": ({}, 8),
    "train.amp": ({}, "bf16"),
    "train.ema": ({}, 0.9),
    "train.seed": ({}, 8),
    "train.workers": ({}, 8),
    "train.log_every": ({}, 8),
    "train.checkpoint_every": ({}, 8),
    "train.keep": ({"train": {"checkpoint_every": 8}}, 8),
    "train.checkpoint_steps": ({}, 8),
    "train.early_stop": ({}, 8),
    "train.deterministic": ({}, False),
    "train.sync_bn": ({}, False),
    "evaluate.every": ({}, 8),
    "log.tensorboard": ({}, False),
    "log.wandb": ({}, "project"),
    "log.mlflow": ({}, "experiment"),
    "launch.gpus": ({}, 2),
    "launch.nodes": ({}, 2),
    "launch.endpoint": ({}, "first:29500"),
}

# ---- classification ----

MODEL = {"name": "resnet18", "num_classes": 10}
FOLDER = {"format": "imagefolder", "root": "images"}
TEN = list("abcdefghij")
LIST = {
    "format": "list",
    "train": {"root": "a", "list": "a/train.txt"},
    "val": {"root": "a", "list": "a/val.txt"},
}
CSV = {
    "format": "csv",
    "train": {"root": "a", "csv": "a/train.csv"},
    "val": {"root": "a", "csv": "a/val.csv"},
}
MMLAB = {
    "format": "openmmlab",
    "train": {"root": "a", "json": "a/train.json"},
    "val": {"root": "a", "json": "a/val.json"},
}
EMNIST = {"format": "emnist", "split": "digits"}
PACKAGE = {"source": "package://a/b.pth", "layout": "efficientnet-pytorch"}
TEACHER = {"name": "resnet50", "weights": "teacher.pt"}
THAWING = MODEL | {"freeze": 1, "unfreeze": [{"epoch": 1, "freeze": "none"}]}
CLASSIFICATION: Changes = SHARED | {
    "task": ({}, "…"),
    "model.name": ({}, "resnet34"),
    "model.weights.source": ({"model": MODEL | {"weights": PACKAGE}}, "package://c/d.pth"),
    "model.weights.layout": ({"model": MODEL | {"weights": PACKAGE}}, None),
    "model.weights.prefix": ({"model": MODEL | {"weights": PACKAGE}}, "encoder."),
    "model.weights.rename": ({"model": MODEL | {"weights": PACKAGE}}, {"body.": ""}),
    "model.unfreeze": ({"model": THAWING}, []),
    "model.unfreeze.epoch": ({"model": THAWING}, 2),
    "model.unfreeze.freeze": ({"model": THAWING}, 0),
    "model.dropout": ({"model": MODEL | {"name": "efficientnet_b0"}}, 0.5),
    "model.drop_path": ({"model": MODEL | {"name": "efficientnet_b0"}}, 0.5),
    "model.batch_norm": ({}, "eval"),
    "model.init_std": ({}, 0.5),
    "model.num_classes": ({}, 11),
    "data.image_size": ({}, [96, 64]),
    "data.fit": ({}, "letterbox"),
    "data.augment": ({}, "flip"),
    "data.train_transforms": ({}, [{"name": "CenterCrop", "size": 224}]),
    "data.eval_transforms": ({}, [{"name": "CenterCrop", "size": 200}]),
    "data.color_jitter": ({}, 0.4),
    "data.random_erasing": ({}, 0.25),
    "data.balance": ({}, True),
    "data.val_seed": ({"data": FOLDER | {"val_fraction": 0.2}}, 1),
    "data.val_groups": ({"data": FOLDER | {"val_fraction": 0.2}}, "folder"),
    "data.mixup": ({}, 0.2),
    "data.cutmix": ({}, 1.0),
    "data.label_smoothing": ({}, 0.1),
    "data.classes": ({"data": LIST}, TEN),
    "data.multi_label": ({"data": LIST}, True),
    "data.image_suffix": ({"data": LIST}, ".png"),
    "data.on_bad_image": ({"data": LIST}, "skip"),
    "data.channels": ({}, 1),
    "data.value_range": ({"data": LIST}, [0, 4095]),
    "data=list.format": ({"data": LIST}, "…"),
    "data=list.train": ({"data": LIST}, {"root": "b", "list": "a/train.txt"}),
    "data=list.train.root": ({"data": LIST}, "b"),
    "data=list.train.list": ({"data": LIST}, "b/c.txt"),
    "data=list.val": ({"data": LIST}, {"root": "b", "list": "a/val.txt"}),
    "data=list.val.root": ({"data": LIST}, "b"),
    "data=list.val.list": ({"data": LIST}, "b/c.txt"),
    "data=list.test": ({"data": LIST}, {"root": "b", "list": "a/test"}),
    "data=list.test.root": ({"data": LIST | {"test": {"root": "a", "list": "a/test"}}}, "b"),
    "data=list.test.list": ({"data": LIST | {"test": {"root": "a", "list": "a/test"}}}, "b/c"),
    "data=list.separator": ({"data": LIST}, "\t"),
    "data=csv.format": ({"data": CSV}, "…"),
    "data=csv.train": ({"data": CSV}, {"root": "b", "csv": "a/train.txt"}),
    "data=csv.train.root": ({"data": CSV}, "b"),
    "data=csv.train.csv": ({"data": CSV}, "b/c.csv"),
    "data=csv.val": ({"data": CSV}, {"root": "b", "csv": "a/val.txt"}),
    "data=csv.val.root": ({"data": CSV}, "b"),
    "data=csv.val.csv": ({"data": CSV}, "b/c.csv"),
    "data=csv.test": ({"data": CSV}, {"root": "b", "csv": "a/test"}),
    "data=csv.test.root": ({"data": CSV | {"test": {"root": "a", "csv": "a/test"}}}, "b"),
    "data=csv.test.csv": ({"data": CSV | {"test": {"root": "a", "csv": "a/test"}}}, "b/c"),
    "data=csv.image_column": ({"data": CSV}, "file"),
    "data=csv.delimiter": ({"data": CSV}, ";"),
    "data=csv.label_column": ({"data": CSV}, "kind"),
    "data=csv.label_separator": ({"data": CSV | {"multi_label": True}}, "|"),
    "data=csv.label_columns": ({"data": CSV | {"multi_label": True}}, TEN),
    "data=openmmlab.format": ({"data": MMLAB}, "…"),
    "data=openmmlab.train": ({"data": MMLAB}, {"root": "b", "json": "a/train.txt"}),
    "data=openmmlab.train.root": ({"data": MMLAB}, "b"),
    "data=openmmlab.train.json": ({"data": MMLAB}, "b/c.json"),
    "data=openmmlab.val": ({"data": MMLAB}, {"root": "b", "json": "a/val.txt"}),
    "data=openmmlab.val.root": ({"data": MMLAB}, "b"),
    "data=openmmlab.val.json": ({"data": MMLAB}, "b/c.json"),
    "data=openmmlab.test": ({"data": MMLAB}, {"root": "b", "json": "a/test"}),
    "data=openmmlab.test.root": ({"data": MMLAB | {"test": {"root": "a", "json": "a/test"}}}, "b"),
    "data=openmmlab.test.json": (
        {"data": MMLAB | {"test": {"root": "a", "json": "a/test"}}},
        "b/c",
    ),
    "data=cifar10.train": ({"data": {"format": "svhn"}}, "extra"),
    "data=cifar10.val": ({"data": {"format": "svhn"}}, "extra"),
    "data=cifar10.test": (
        {"data": {"format": "flowers102"}, "model": {"name": "resnet18"}},
        "test",
    ),
    "data=emnist.format": ({"model": {"name": "resnet18"}, "data": {"format": "emnist"}}, "mnist"),
    "data=emnist.root": ({"data": EMNIST}, "pictures"),
    "data=emnist.split": ({"data": EMNIST}, "mnist"),
    "data=emnist.train": ({"data": EMNIST | {"val_fraction": 0.2}}, "test"),
    "data=emnist.val": ({"data": EMNIST}, "…"),
    "data=emnist.test": ({"data": EMNIST | {"val_fraction": 0.2}}, "test"),
    "data=imagefolder.format": ({}, "cifar10"),
    "data=imagefolder.root": ({}, "pictures"),
    "data=imagefolder.train": ({}, "training"),
    "data=imagefolder.val": ({}, "test"),
    "data=imagefolder.test": ({}, "test"),
    "data=cifar10.format": ({"data": {"format": "cifar10", "root": "images"}}, "imagefolder"),
    "data=cifar10.root": ({"data": {"format": "cifar10"}}, "pictures"),
    "train.loss": ({}, "focal"),
    "train.loss.name": ({"train": {"loss": {"name": "focal"}}}, "focal"),
    "train.loss.gamma": ({"train": {"loss": {"name": "focal"}}}, 1.0),
    "train.class_weights": ({}, "balanced"),
    "train.compile": ({}, True),
    "train.channels_last": ({}, True),
    "distill.name": ({"distill": TEACHER}, "resnet34"),
    "distill.weights": ({"distill": TEACHER}, "other.pt"),
    "distill.mean": ({"distill": TEACHER}, [0.1, 0.2, 0.3]),
    "distill.std": ({"distill": TEACHER}, [0.1, 0.2, 0.3]),
    "distill.temperature": ({"distill": TEACHER}, 2.0),
    "distill.alpha": ({"distill": TEACHER}, 0.25),
    "evaluate.batch_size": ({}, 8),
    "evaluate.topk": ({}, [1, 3]),
    "evaluate.metrics": ({}, ["f1"]),
    "evaluate.monitor": ({}, "loss"),
    "export.format": ({}, "onnx"),
}

# ---- detection and instance segmentation ----

DETECTOR = {"name": "fasterrcnn_resnet50_fpn"}
MASKS = {"task": "instance-segmentation", "model": {"name": "maskrcnn_resnet50_fpn"}}
VOC = {"format": "voc", "root": "voc"}
COCO = {
    "format": "coco",
    "classes": ["a", "b"],
    "train": {"images": "a/train", "json": "a/train.json"},
    "val": {"images": "a/val", "json": "a/val.json"},
}
PICTURES = {"images": "a/test", "json": "a/test.json"}
YOLO = {"format": "yolo", "root": "yolo", "classes": ["a", "b"]}
XML = {"format": "voc-folders", "root": "voc", "classes": ["a", "b"]}
STREETS = {"format": "cityscapes", "root": "streets"}
FACES = {"format": "wider-face", "root": "faces"}
RESIZED = VOC | {"resize": {"short": 600, "long": 1000}}
MMDET = {"source": "package://a/b.pth", "layout": "mmdet"}
THAWING_BODY = DETECTOR | {"freeze": 2, "unfreeze": [{"epoch": 1, "freeze": "none"}]}
DETECTION: Changes = SHARED | {
    "task": ({}, "…"),
    "model.name": ({}, "fcos_resnet50_fpn"),
    "model.weights.source": ({"model": DETECTOR | {"weights": MMDET}}, "package://c/d.pth"),
    "model.weights.layout": ({"model": DETECTOR | {"weights": MMDET}}, "mmdet-caffe"),
    "model.weights.head": ({"model": DETECTOR | {"weights": MMDET}}, True),
    "model.weights.prefix": ({"model": DETECTOR | {"weights": MMDET}}, "model."),
    "model.weights.rename": ({"model": DETECTOR | {"weights": MMDET}}, {"body.": ""}),
    "model.unfreeze": ({"model": THAWING_BODY}, []),
    "model.unfreeze.epoch": ({"model": THAWING_BODY}, 2),
    "model.unfreeze.freeze": ({"model": THAWING_BODY}, 0),
    "model.batch_norm": ({}, "train"),
    "model.options": ({}, {"box_nms_thresh": 0.6}),
    "data.classes": ({}, ["dog", "cat"]),
    "data.keep_empty": ({}, True),
    "data.val_seed": ({"data": VOC | {"val_fraction": 0.2}}, 1),
    "data.val_groups": ({"data": VOC | {"val_fraction": 0.2}}, "_"),
    "data.on_bad_annotation": ({}, "fix"),
    "data.value_range": ({}, [0, 4095]),
    "data.min_size": ({}, 8),
    "data.resize": ({}, {"short": 600, "long": 1000}),
    "data.resize.short": ({"data": RESIZED}, [480, 600]),
    "data.resize.long": ({"data": RESIZED}, 900),
    "data.augment": ({}, "large-scale-jitter"),
    "data.photometric_distort": ({}, True),
    "data.copy_paste": (MASKS, 0.5),
    "data.train_transforms": ({}, [{"name": "RandomVerticalFlip"}]),
    "data=coco.format": ({"data": COCO}, "…"),
    "data=coco.train": ({"data": COCO}, {"images": "b", "json": "a/train.json"}),
    "data=coco.train.images": ({"data": COCO}, "b"),
    "data=coco.train.json": ({"data": COCO}, "b.json"),
    "data=coco.val": ({"data": COCO}, {"images": "b", "json": "a/val.json"}),
    "data=coco.val.images": ({"data": COCO}, "b"),
    "data=coco.val.json": ({"data": COCO}, "b.json"),
    "data=coco.test": ({"data": COCO}, {"images": "b", "json": "a/test.json"}),
    "data=coco.test.images": ({"data": COCO | {"test": PICTURES}}, "b"),
    "data=coco.test.json": ({"data": COCO | {"test": PICTURES}}, "b.json"),
    "data=voc.format": ({}, "cityscapes"),
    "data=voc.root": ({}, "pictures"),
    "data=voc.train": ({}, ["VOC2007/trainval", "VOC2012/trainval"]),
    "data=voc.val": ({}, "test"),
    "data=voc.test": ({}, "test"),
    "data=voc-folders.format": ({"data": XML}, "yolo"),
    "data=voc-folders.root": ({"data": XML}, "pictures"),
    "data=voc-folders.train": ({"data": XML}, "images"),
    "data=voc-folders.val": ({"data": XML}, "valid"),
    "data=voc-folders.test": ({"data": XML}, "test"),
    "data=voc-folders.xml": ({"data": XML}, "xml"),
    "data=cityscapes.format": ({"data": STREETS}, "voc"),
    "data=cityscapes.root": ({"data": STREETS}, "pictures"),
    "data=cityscapes.train": ({"data": STREETS}, "training"),
    "data=cityscapes.val": ({"data": STREETS}, "test"),
    "data=cityscapes.test": ({"data": STREETS}, "test"),
    "data=wider-face.format": ({"data": FACES}, "voc"),
    "data=wider-face.root": ({"data": FACES}, "pictures"),
    "data=wider-face.annotations": ({"data": FACES}, "voc"),
    "data=wider-face.train": ({"data": FACES}, "training"),
    "data=wider-face.val": ({"data": FACES}, "test"),
    "data=wider-face.test": ({"data": FACES}, "test"),
    "data=yolo.format": ({"data": YOLO}, "voc"),
    "data=yolo.root": ({"data": YOLO}, "pictures"),
    "data=yolo.train": ({"data": YOLO}, "train.txt"),
    "data=yolo.val": ({"data": YOLO}, "val.txt"),
    "data=yolo.test": ({"data": YOLO}, "images/test"),
    "train.group_by_shape": ({}, False),
    "train.sync_bn": ({"model": DETECTOR | {"batch_norm": "train"}}, False),
    "evaluate.max_detections": ({}, 300),
    "evaluate.loss": ({}, True),
    "evaluate.monitor": ({}, "box_AP75"),
}

# ---- video classification ----

VIDEO_MODEL = {"name": "r2plus1d_18", "num_classes": 10}
S3D = VIDEO_MODEL | {"name": "s3d"}
MVIT = VIDEO_MODEL | {"name": "mvit_v2_s"}
TSN = VIDEO_MODEL | {"name": "tsn"}
MMACTION = {"source": "package://a/b.pth", "layout": "mmaction"}
THAWING_VIDEO = VIDEO_MODEL | {"freeze": 1, "unfreeze": [{"epoch": 1, "freeze": "none"}]}
VIDEO_FOLDER = {"format": "videofolder", "root": "videos"}
VIDEO_LIST = LIST | {"format": "videos"}
RAW = LIST | {"format": "rawframes"}
KINETICS = {"format": "kinetics", "root": "kinetics"}
UCF = {
    "model": {"name": "r2plus1d_18"},
    "data": {"format": "ucf101", "root": "ucf101"},
}
TESTED = {"evaluate": {"test": {"clips": 10}}}
VIDEO: Changes = SHARED | {
    "task": ({}, "…"),
    "model.name": ({}, "r3d_18"),
    "model.backbone": ({"model": TSN}, "resnet18"),
    "model.weights.source": ({"model": TSN | {"weights": MMACTION}}, "package://c/d.pth"),
    "model.weights.layout": ({"model": TSN | {"weights": MMACTION}}, "classifier"),
    "model.weights.prefix": ({"model": TSN | {"weights": MMACTION}}, "encoder."),
    "model.weights.rename": ({"model": TSN | {"weights": MMACTION}}, {"body.": ""}),
    "model.unfreeze": ({"model": THAWING_VIDEO}, []),
    "model.unfreeze.epoch": ({"model": THAWING_VIDEO}, 2),
    "model.unfreeze.freeze": ({"model": THAWING_VIDEO}, 0),
    "model.batch_norm": ({}, "eval"),
    "model.dropout": ({"model": S3D}, 0.5),
    "model.drop_path": ({"model": MVIT}, 0.5),
    "model.init_std": ({}, 0.5),
    "model.num_classes": ({}, 11),
    "data.image_size": ({}, [96, 64]),
    "data.fit": ({}, "letterbox"),
    "data.augment": ({}, "random-resized-crop"),
    "data.flip": ({}, False),
    "data.color_jitter": ({}, 0.4),
    "data.random_erasing": ({}, 0.25),
    "data.train_transforms": ({}, [{"name": "CenterCrop", "size": 112}]),
    "data.eval_transforms": ({}, [{"name": "CenterCrop", "size": 100}]),
    "data.balance": ({}, True),
    "data.val_seed": ({"data": VIDEO_FOLDER | {"val_fraction": 0.2}}, 1),
    "data.val_groups": ({"data": VIDEO_FOLDER | {"val_fraction": 0.2}}, "_c"),
    "data.mixup": ({}, 0.2),
    "data.cutmix": ({}, 1.0),
    "data.label_smoothing": ({}, 0.1),
    "data.decoder": ({}, "torchcodec"),
    "data.classes": ({"data": VIDEO_LIST}, TEN),
    "data.clips.segments": ({"model": TSN}, 5),
    "data.clips.frames": ({}, 32),
    "data.clips.stride": ({}, 4),
    "data.clips.fps": ({}, 7.5),
    "data.clips": ({}, {"frames": 8}),
    "data=rawframes.format": ({"data": RAW}, "…"),
    "data=rawframes.train": ({"data": RAW}, {"root": "b", "list": "a/train.txt"}),
    "data=rawframes.train.root": ({"data": RAW}, "b"),
    "data=rawframes.train.list": ({"data": RAW}, "b/c.txt"),
    "data=rawframes.val": ({"data": RAW}, {"root": "b", "list": "a/val.txt"}),
    "data=rawframes.val.root": ({"data": RAW}, "b"),
    "data=rawframes.val.list": ({"data": RAW}, "b/c.txt"),
    "data=rawframes.test": ({"data": RAW}, {"root": "b", "list": "a/test"}),
    "data=rawframes.test.root": ({"data": RAW | {"test": {"root": "a", "list": "a/test"}}}, "b"),
    "data=rawframes.test.list": ({"data": RAW | {"test": {"root": "a", "list": "a/test"}}}, "b/c"),
    "data=rawframes.frame_name": ({"data": RAW}, "{:06}.png"),
    "data=rawframes.first_frame": ({"data": RAW}, 0),
    "data=rawframes.with_offset": ({"data": RAW}, True),
    "data=videos.format": ({"data": VIDEO_LIST}, "rawframes"),
    "data=videos.train": ({"data": VIDEO_LIST}, {"root": "b", "list": "a/train.txt"}),
    "data=videos.train.root": ({"data": VIDEO_LIST}, "b"),
    "data=videos.train.list": ({"data": VIDEO_LIST}, "b/c.txt"),
    "data=videos.val": ({"data": VIDEO_LIST}, {"root": "b", "list": "a/val.txt"}),
    "data=videos.val.root": ({"data": VIDEO_LIST}, "b"),
    "data=videos.val.list": ({"data": VIDEO_LIST}, "b/c.txt"),
    "data=videos.test": ({"data": VIDEO_LIST}, {"root": "b", "list": "a/test"}),
    "data=videos.test.root": (
        {"data": VIDEO_LIST | {"test": {"root": "a", "list": "a/test"}}},
        "b",
    ),
    "data=videos.test.list": (
        {"data": VIDEO_LIST | {"test": {"root": "a", "list": "a/test"}}},
        "b/c",
    ),
    "data=videos.separator": ({"data": VIDEO_LIST}, "\t"),
    "data=videofolder.format": ({}, "kinetics"),
    "data=videofolder.root": ({}, "films"),
    "data=videofolder.train": ({}, "training"),
    "data=videofolder.val": ({}, "test"),
    "data=videofolder.test": ({}, "test"),
    "data=kinetics.format": ({"data": KINETICS}, "videofolder"),
    "data=kinetics.root": ({"data": KINETICS}, "films"),
    "data=kinetics.train": ({"data": KINETICS}, "training"),
    "data=kinetics.val": ({"data": KINETICS}, "test"),
    "data=kinetics.test": ({"data": KINETICS}, "test"),
    "data=ucf101.format": ({"data": {"format": "ucf101", "root": "x"}, "model": TSN}, "…"),
    "data=ucf101.root": (UCF, "films"),
    "data=ucf101.fold": (UCF, 3),
    "train.loss": ({}, "focal"),
    "train.loss.name": ({"train": {"loss": {"name": "focal"}}}, "focal"),
    "train.loss.gamma": ({"train": {"loss": {"name": "focal"}}}, 1.0),
    "train.class_weights": ({}, "balanced"),
    "train.compile": ({}, True),
    "evaluate.batch_size": ({}, 8),
    "evaluate.topk": ({}, [1, 3]),
    "evaluate.metrics": ({}, ["f1"]),
    "evaluate.monitor": ({}, "loss"),
    "evaluate.test": ({}, {"clips": 10}),
    "evaluate.test.clips": (TESTED, 5),
    "evaluate.test.crops": (TESTED, 3),
    "evaluate.test.average": (TESTED, "scores"),
    "export.format": ({}, "onnx"),
}

# Another value has other keys, or there is none.
ALONE = {"task", "train.loss.name", "data=emnist.val"}
ALONE |= {f"schedule={kind}.name" for kind in ("multistep", "step")}
ALONE |= {f"data={kind}.format" for kind in ("list", "csv", "openmmlab", "coco", "rawframes")}
ALONE.add("data=ucf101.format")
# What the language of each task has of these, and a spec to start from.
LANGUAGES: dict[type[Section], tuple[Changes, dict[str, Any]]] = {
    Classification: (CLASSIFICATION, {"task": "classification", "model": MODEL, "data": FOLDER}),
    Detection: (DETECTION, {"task": "detection", "model": DETECTOR, "data": VOC}),
    VideoClassification: (
        VIDEO,
        {"task": "video-classification", "model": VIDEO_MODEL, "data": VIDEO_FOLDER},
    ),
}


def test_the_test_knows_every_language() -> None:
    assert set(tasks.LANGUAGES.values()) == set(LANGUAGES)


def keys(section: type[Section], prefix: str = "") -> Iterator[str]:
    """Every key of a section and of those in it, a kind of section named once."""
    for name, field in section.model_fields.items():
        inner = [s for s in dict.fromkeys(sections(field.annotation)) if s is not Transform]
        if prefix or not inner:
            yield f"{prefix}{name}"
        for kind in inner:
            choice = f"={tag(kind)}" if len(inner) > 1 else ""
            yield from keys(kind, f"{prefix}{name}{choice}.")


def sections(annotation: Any) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for argument in get_args(annotation) for section in sections(argument)]


def tag(section: type[Section]) -> str:
    key = "format" if "format" in section.model_fields else "name"
    return str(get_args(section.model_fields[key].annotation)[0])


def known(language: type[Section]) -> list[str]:
    """The keys as CHANGES know them: what all kinds of a section have is there once."""
    changes, _ = LANGUAGES[language]
    found = set()
    for key in keys(language):
        section, _, name = key.partition(".")
        common = f"{section.partition('=')[0]}.{name}"
        found.add(common if common in changes else key)
    return sorted(found)


def compiled(spec: dict[str, Any], folder: Path) -> dict[str, str]:
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    return render(build.load(path))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_test_knows_every_key(language: type[Section]) -> None:
    changes, _ = LANGUAGES[language]
    assert known(language) == sorted(changes)


@pytest.mark.parametrize(
    "language, key",
    [(language, key) for language in LANGUAGES for key in known(language) if key not in ALONE],
)
def test_every_key_does_something(language: type[Section], key: str, tmp_path: Path) -> None:
    everything, start = LANGUAGES[language]
    changes, value = everything[key]
    spec = json.loads(json.dumps(start | changes))
    before = compiled(spec, tmp_path)
    node = spec
    *parents, last = [part.partition("=")[0] for part in key.split(".")]
    for parent in parents:
        node = node.setdefault(parent, {})
        node = node[0] if isinstance(node, list) else node
    node[last] = value
    if value is None:
        del node[last]
    assert compiled(spec, tmp_path) != before


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_is_described(language: type[Section]) -> None:
    def described(section: type[Section]) -> Iterator[str]:
        for name, field in section.model_fields.items():
            if not field.description and not sections(field.annotation):
                yield f"{section.__name__}.{name}"
            for inner in sections(field.annotation):
                yield from described(inner)

    assert list(described(language)) == []


# ---- TOML and JSON, extends and --set ----


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_json_says_the_same_as_toml(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    as_json = tmp_path / f"{path.stem}.json"
    as_json.write_text(json.dumps(read(path).tree))
    assert render(build.load(as_json)) == render(build.load(path))


def test_own_keys_win_over_extended_ones_and_set_over_all(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text("[optim]\nlr = 0.1\nmomentum = 0.5\n[train]\nseed = 1\n")
    (tmp_path / "spec.toml").write_text(
        'extends = "base.toml"\ntask = "classification"\n[optim]\nlr = 0.2\n'
        '[model]\nname = "resnet18"\n[data]\nformat = "cifar10"\n'
    )
    plan = build.load(tmp_path / "spec.toml", ["train.seed=3"])
    values = {setting.name: setting.value for setting in plan.train.settings}
    assert (values["LR"], values["MOMENTUM"], plan.train.seed) == (0.2, 0.5, 3)


# ---- the schema ----


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads(schema_text(tasks.LANGUAGES))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("path", sorted((ROOT / "specs").rglob("*.toml")), ids=lambda p: p.stem)
def test_the_schema_takes_the_example_specs(path: Path, validator: Draft202012Validator) -> None:
    assert list(validator.iter_errors(tomllib.loads(path.read_text()))) == []
    first, *_ = path.read_text().splitlines()
    schema = first.removeprefix("#:schema ")
    assert (path.parent / schema).resolve() == ROOT / "specs/schema.json"


# Whatever the task; and of one task, what only another one has.
WRONG: list[dict[str, Any]] = [
    {"optim": {"learning_rate": 1}},
    {"optim": {"name": "sdg"}},
    {"optim": {"lr": "0.1"}},
    {"schedule": {"name": "cosine", "milestones": [1]}},
    {"model": {"name": "resnet18", "freeze": -1}},
    {"train": {"batch_size": 0}},
    {"task": "classify"},
    {"data": {"format": "folder", "root": "x"}},
    {"trian": {"seed": 1}},
    {"log": {"tensorbord": True}},
]
OF_ANOTHER_TASK: dict[type[Section], list[dict[str, Any]]] = {
    Classification: [
        {"model": {"name": "resnet18", "norm_eval": True}},
        {"data": FOLDER | {"copy_paste": 0.5}},
        {"data": VOC},
        {"train": {"group_by_shape": True}},
        {"evaluate": {"loss": True}},
    ],
    Detection: [
        {"model": DETECTOR | {"num_classes": 3}},
        {"model": DETECTOR | {"weights": PACKAGE}},
        {"data": VOC | {"mixup": 0.2}},
        {"data": VOC | {"resize": {"short": 600}, "image_size": 600}},
        {"data": FOLDER},
        {"train": {"class_weights": "balanced"}},
        {"evaluate": {"topk": [1]}},
    ],
    VideoClassification: [
        {"model": VIDEO_MODEL | {"batch_norm": "frozen"}},
        {"data": FOLDER},
        {"data": VIDEO_FOLDER | {"multi_label": True}},
        {"data": VIDEO_FOLDER | {"copy_paste": 0.5}},
        {"train": {"channels_last": True}},
        {"evaluate": {"loss": True}},
    ],
}


@pytest.mark.parametrize(
    "language, changes",
    [
        (language, changes)
        for language, others in OF_ANOTHER_TASK.items()
        for changes in WRONG + others
    ],
)
def test_the_schema_refuses_what_a_build_refuses(
    language: type[Section],
    changes: dict[str, Any],
    validator: Draft202012Validator,
    tmp_path: Path,
) -> None:
    _, start = LANGUAGES[language]
    assert not list(validator.iter_errors(start))
    assert list(validator.iter_errors(start | changes))
    with pytest.raises(SpecError):
        compiled(start | changes, tmp_path)


@pytest.mark.parametrize(
    "start, changes, path",
    [
        (LANGUAGES[Detection][1], {"trian": {}}, []),
        (LANGUAGES[Detection][1], {"task": "detect"}, ["task"]),
        (LANGUAGES[Detection][1], {"data": VOC | {"rot": "x"}}, ["data"]),
        (LANGUAGES[Detection][1], {"data": VOC | {"format": "vocc"}}, ["data", "format"]),
        (LANGUAGES[Detection][1], {"optim": {"name": "adamw", "momentum": 0.9}}, ["optim"]),
        (LANGUAGES[Detection][1], {"optim": {"name": "sgdd", "momentum": 0.9}}, ["optim", "name"]),
        (LANGUAGES[Detection][1], {"optim": {"lr": "0.1"}}, ["optim", "lr"]),
        (
            LANGUAGES[Detection][1],
            {"schedule": {"name": "cosine", "epochs": 0}},
            ["schedule", "epochs"],
        ),
        (LANGUAGES[Detection][1], {"data": "folder"}, ["data"]),
    ],
)
def test_a_mistake_is_one_error_at_its_key(
    start: dict[str, Any], changes: dict[str, Any], path: list[str], validator: Draft202012Validator
) -> None:
    (error,) = validator.iter_errors(start | changes)
    assert list(error.path) == path


# ---- keys that cancel each other ----

PLATEAU = {"name": "plateau", "epochs": 30}


@pytest.mark.parametrize(
    "changes, noted",
    [
        # The rate falls after patience + 1 evaluations that are no better, here 6.
        ({"schedule": PLATEAU, "train": {"early_stop": 5}}, "train.early_stop"),
        ({"schedule": PLATEAU, "train": {"early_stop": 6}}, "train.early_stop"),
        ({"schedule": PLATEAU, "train": {"early_stop": 7}}, ""),
        ({"schedule": PLATEAU | {"patience": 4}, "train": {"early_stop": 6}}, ""),
        # The first of 30 is the best so far; 29 more can be no better, and the last trains nothing.
        ({"schedule": PLATEAU | {"patience": 27}}, ""),
        ({"schedule": PLATEAU | {"patience": 28}}, "schedule.patience"),
        ({"schedule": PLATEAU, "evaluate": {"every": 5}}, "schedule.patience"),
        ({"schedule": PLATEAU, "evaluate": {"every": 4}}, ""),
        ({"train": {"early_stop": 19}}, ""),
        ({"train": {"early_stop": 20}}, "train.early_stop"),
        ({"evaluate": {"every": 20}}, ""),
        ({"evaluate": {"every": 21}}, "evaluate.every"),
        ({"train": {"checkpoint_every": 21}}, "train.checkpoint_every"),
        ({"schedule": {"epochs": 3, "warmup": {"epochs": 3}}}, "schedule.warmup.epochs"),
        ({"train": {"class_weights": "balanced"}, "data": FOLDER | {"balance": True}}, "train"),
    ],
)
def test_keys_that_cancel_each_other_are_noted(
    changes: dict[str, Any], noted: str, tmp_path: Path
) -> None:
    spec = {"task": "classification", "model": MODEL, "data": FOLDER}
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(spec | changes))
    source = read(file)
    build.plan(source)
    keys = {note.key for note in source.notes}
    assert len(keys) == bool(noted) and all(key.startswith(noted) for key in keys)


@pytest.mark.parametrize(
    "name, size, noted",
    [
        ("timm/cait_s24_224", 256, True),  # CaiT has no loader that resizes its positions
        ("timm/cait_s24_224", 224, False),
        ("timm/vit_tiny_patch16_224", 256, False),  # of ViT, timm does
        ("resnet18", 256, False),
    ],
)
def test_files_of_weights_for_one_size_of_images_are_noted(
    name: str, size: int, noted: bool, tmp_path: Path
) -> None:
    file = tmp_path / "spec.json"
    (weights := tmp_path / "weights.pth").write_bytes(pickle.dumps([]))
    model = {"name": name, "weights": str(weights), "num_classes": 10}
    data = FOLDER | {"image_size": size}
    file.write_text(json.dumps({"task": "classification", "model": model, "data": data}))
    source = read(file)
    build.plan(source)
    said = f"{name} is built for one size, and cannot load a file for another than image_size = "
    assert [it.message for it in source.notes] == [f"{said}{size}"] * noted
