#% if data.held_out.any
evaluate.build_eval_set = lambda root, *_: build_datasets(root)[1]
#% else
evaluate.build_datasets = build_datasets
#% endif
#% if data.held_out.any and data.classes_file
evaluate.read_classes = lambda root: []  # the names are made up as well
#% endif
