#% if annotations.numbered
def build_datasets(root: Path) -> tuple[data.Samples, data.Samples]:
    """List the eight images of noise in `root`, two boxes each, one file of masks."""
#% else
def build_datasets(root: Path) -> tuple[data.Samples, data.Samples]:
    """List the eight images of noise in `root`, with two boxes each."""
#% endif
    boxes = torch.tensor([[10.0, 10.0, 60.0, 60.0], [70.0, 20.0, 110.0, 80.0]])
    labels = torch.tensor([NUM_CLASSES - 1, NUM_CLASSES - 1])
    crowd = torch.zeros(2, dtype=torch.bool)
    #% if annotations.areas
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    #% endif
    #% if annotations.polygons
    x1, y1, x2, y2 = boxes.T.tolist()
    corners = zip(x1, y1, x2, y1, x2, y2, x1, y2, strict=True)
    shapes = [[torch.tensor(polygon).numpy()] for polygon in corners]
    #% elif annotations.numbered
    mask_file, numbers = root / "masks.png", torch.tensor([1, 2], dtype=torch.int32)
    #% endif
    #% if annotations.ids
    ids = {label: label for label in range(NUM_CLASSES)}
    #% endif
    #% if annotations.several_val
    source = root / "annotations.json"
    #% endif
    records = [
        Record(
            root / f"{index}.png", 96, 128, boxes, labels, crowd
            #% if annotations.areas
            , areas
            #% endif
            #% if annotations.polygons
            , shapes
            #% elif annotations.numbered
            , mask_file, numbers
            #% endif
            #% if annotations.several_val
            , source
            #% endif
            #% if annotations.ids
            , index, ids
            #% endif
        )
        for index in range(8)
    ]
    return (
        #% if data.copy_paste
        data.Samples(records, data.train_transform, data.COPY_PASTE),
        #% else
        data.Samples(records, data.train_transform),
        #% endif
        data.Samples(records, data.eval_transform),
    )


def build_model() -> nn.Module:
    #% if evaluate.two_stage
    """Build the model, for small images and few boxes, to find objects untrained."""
    detector = model.build_model()
    detector.transform.min_size, detector.transform.max_size = (96,), 128
    detector.roi_heads.fg_bg_sampler.batch_size_per_image = 16
    detector.roi_heads.score_thresh = 0.0
    return detector
    #% elif not model.fixed_size
    """Build the model, for small images, to find objects untrained."""
    detector = model.build_model()
    detector.transform.min_size, detector.transform.max_size = (96,), 128
    detector.score_thresh = 0.0
    return detector
    #% else
    """Build the model, to find objects untrained."""
    detector = model.build_model()
    detector.score_thresh = 0.0
    return detector
    #% endif
