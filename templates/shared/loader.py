def build_loader(dataset: Dataset, **options: Any) -> DataLoader:
    return DataLoader(
        dataset,
        num_workers=WORKERS,
        worker_init_fn=leave_group,
        persistent_workers=WORKERS > 0,
        pin_memory=torch.cuda.is_available(),
        **options,
    )


def leave_group(worker: int) -> None:
    """Give the worker its own session: Ctrl-C and SIGTERM reach only the trainer."""
    if hasattr(os, "setsid"):  # Windows has none, and only Ctrl-C reaches a group
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the trainer sends it to workers
