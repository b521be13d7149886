truth = build_truth(val_set) if is_main else None
if truth is not None:
    check_monitor(truth, MONITOR)
