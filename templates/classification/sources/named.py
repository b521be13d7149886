def build_datasets(root: Path) -> tuple[Samples, Samples]:
    """Build the training and validation sets, from torchvision's own files."""
    #% if data.held_out.both
    val_set = build_eval_set(root, "val")
    #% elif data.held_out.val
    val_set = build_eval_set(root)
    #% endif
    #% if data.named.first
    if os.environ.get("LOCAL_RANK", "0") == "0":  # fetches them for the others
        {{ data.named.first }}
    dist.barrier()
    #% endif
    train = {{ data.named.train }}
    #% if data.named.train_setup
    {{ data.named.train_setup }}
    #% endif
    #% if data.val_fraction
    return split({{ data.named.train_samples }})
    #% else
    train_set = {{ data.named.train_samples }}
    return train_set, val_set
    #% endif


#% if data.held_out.any
#% if data.held_out.both
def build_eval_set(root: Path, split: str) -> Samples:
    """Read the images of the split "val" or "test", without those to train on."""
    name = {{ data.named.held_splits }}[split]
#% elif data.held_out.test
def build_eval_set(root: Path, split: str) -> Samples:
    """Read the images of the split "val" or "test"."""
    if split == "val":
        return build_datasets(root)[1]
#% else
def build_eval_set(root: Path) -> Samples:
    """Read the validation images, without those to train on."""
#% endif
    if os.environ.get("LOCAL_RANK", "0") == "0":  # fetches them for the others
        {{ data.named.held_first }}
    dist.barrier()
    source = {{ data.named.held }}
    #% if data.named.held_setup
    {{ data.named.held_setup }}
    #% endif
    return {{ data.named.held_samples }}
#% endif
