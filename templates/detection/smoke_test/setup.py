for script in (train, evaluate, predict, export):
    script.build_model = build_model
#% if annotations.held_out.any
evaluate.build_eval_set = lambda root, *_: build_datasets(root)[1]
export.build_eval_set = evaluate.build_eval_set
#% else
evaluate.build_datasets = export.build_datasets = build_datasets
#% endif
export.AGREEMENT = 0.0  # untrained, chance picks among equals
#% if data.resizes
for transform in data.train_transform.transforms:
    if isinstance(transform, v2.RandomShortestSize):
        transform.min_size, transform.max_size = [96], 128
    if isinstance(transform, v2.ScaleJitter):
        transform.target_size = (96, 128)
    if isinstance(transform, v2.RandomCrop):
        transform.size = (96, 128)
#% endif
train.MONITOR = "box_AP"  # which made-up objects of any size have
