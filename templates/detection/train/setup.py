truth = build_truth(val_set) if is_main else None
