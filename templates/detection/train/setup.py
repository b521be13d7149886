truth = build_truth(val_set, MONITOR) if is_main else None
