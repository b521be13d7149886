#% if annotations.numbered
def build_datasets(root: Path) -> tuple[data.Samples, data.Samples]:
    """The eight images of noise in `root`, with two boxes each, a mask file for all."""
#% else
def build_datasets(root: Path) -> tuple[data.Samples, data.Samples]:
    """The eight images of noise in `root`, with two boxes each."""
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
    numbers = torch.tensor([1, 2], dtype=torch.int32)
    #% endif
    records = [
        Record(
            root / f"{index}.png",
            96,
            128,
            boxes,
            labels,
            crowd,
            #% if annotations.areas
            areas,
            #% endif
            #% if annotations.polygons
            shapes,
            #% elif annotations.numbered
            root / "masks.png",
            numbers,
            #% endif
            #% if annotations.several_val
            root / "annotations.json",
            #% endif
            #% if annotations.ids
            index,
            {label: label for label in range(NUM_CLASSES)},
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
    """The model, for small images and few boxes, which finds something untrained."""
    detector = model.build_model()
    detector.transform.min_size, detector.transform.max_size = (96,), 128
    detector.roi_heads.fg_bg_sampler.batch_size_per_image = 16
    detector.roi_heads.score_thresh = 0.0
    return detector
    #% elif not model.fixed_size
    """The model, for small images, which finds something untrained."""
    detector = model.build_model()
    detector.transform.min_size, detector.transform.max_size = (96,), 128
    detector.score_thresh = 0.0
    return detector
    #% else
    """The model, which finds something untrained."""
    detector = model.build_model()
    detector.score_thresh = 0.0
    return detector
    #% endif
