"""One process or many, on one code path.

torchrun tells every process its rank through the environment; a script that was started
with plain `python` is a group of one.
"""

import math
import os
import signal
import threading
import time
import uuid

import torch
import torch.distributed as dist


def init() -> torch.device:
    """Join the process group; return this process's own GPU, or the CPU."""
    device = torch.device("cpu")
    if torch.cuda.is_available():
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
        torch.cuda.set_device(device)
    nccl = device.type == "cuda" and dist.is_nccl_available()  # never on Windows
    store, rank, processes = meet()
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if nccl else "gloo",
        store=store,
        rank=rank,
        world_size=processes,
        device_id=device if nccl else None,
    )
    return device


def meet() -> tuple[dist.Store, int, int]:
    """Return a store that this group alone writes to, the rank and the world size.

    torchrun keeps one store through all restarts, where the addresses of dead processes
    pass for those of new ones (pytorch#135712), and its machines count the restarts
    each for itself: rank 0 tells the group's name to every process that asks.
    """
    if "RANK" not in os.environ:
        return dist.HashStore(), 0, 1
    store, rank, processes = next(dist.rendezvous("env://"))
    name = uuid.uuid4().hex
    if rank:
        store.set(f"rank {rank} asks as", name)
        name = store.get(name).decode()
        store.set(f"{name} is known to rank {rank}", "")
    else:
        for other in range(1, processes):
            while not store.check([f"{name} is known to rank {other}"]):
                store.set(store.get(f"rank {other} asks as").decode(), name)
                time.sleep(0.05)
    return dist.PrefixStore(name, store), rank, processes


def any_process(flag: bool) -> bool:
    """Return whether `flag` is set in any process; on the CPU, so that no GPU waits."""
    flags = torch.tensor(int(flag))
    dist.all_reduce(flags, op=dist.ReduceOp.MAX)
    return bool(flags)


def catch_signals() -> threading.Event:
    """Return an event that Ctrl-C or SIGTERM sets; the next of them ends the process.

    torchrun passes on what a terminal has sent to every process: within a second, two
    signals are one.
    """
    stop, first = threading.Event(), math.inf

    def handle(number: int, _: object) -> None:
        nonlocal first
        if time.monotonic() > first + 1:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        if not stop.is_set():
            first = time.monotonic()
            stop.set()
            if os.environ.get("RANK", "0") == "0":  # no print: it may be interrupted
                os.write(2, b"\nstopping after this step; once more stops at once\n")

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handle)
    return stop
