def build_datasets(root: Path) -> tuple[Samples, Samples]:
    """Build the training and validation sets, from torchvision's own files."""
    if os.environ.get("LOCAL_RANK", "0") == "0":  # fetches them for the others
        #% for call in data.named.first
        {{ call }}
        #% endfor
    dist.barrier()
    train = {{ data.named.train }}
    #% if data.named.train_setup
    {{ data.named.train_setup }}
    #% endif
    #% if data.named.val
    val = {{ data.named.val }}
    #% if data.named.val_setup
    {{ data.named.val_setup }}
    #% endif
    return (
        {{ data.named.train_samples }},
        {{ data.named.val_samples }},
    )
    #% else
    return split({{ data.named.train_samples }})
    #% endif
