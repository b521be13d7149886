import checkpoint
import distributed
from annotations import CLASSES, DATA_DIR
from data import Batches, Samples, build_datasets, build_loaders, draw_sheet, to_floats
from evaluate import build_truth, draw_precisions, draw_results, evaluate, summary
from model import build_model, load_pretrained, set_frozen
from optimizer import build_optimizer
