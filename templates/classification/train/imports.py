import checkpoint
import distributed
from data import (
    DATA_DIR,
    NUM_CLASSES,
    Batches,
    Samples,
    build_datasets,
    build_loaders,
    data_folder,
    draw_sheet,
    normalize,
)
from evaluate import draw_confusion, draw_precisions, evaluate
from mix import mix
from model import build_model, load_pretrained, set_frozen
from optimizer import build_optimizer
from teacher import build_teacher, distillation_loss, renormalized
