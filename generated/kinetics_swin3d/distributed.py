"""One process or many, on one code path.

torchrun tells every process its rank through the environment; a script that was started
with plain `python` is a group of one.
"""

import os

import torch
import torch.distributed as dist


def init() -> torch.device:
    """Join the process group; return this process's own GPU, or the CPU."""
    if "RANK" not in os.environ:
        os.environ.update(RANK="0", WORLD_SIZE="1", LOCAL_RANK="0")
        os.environ.update(MASTER_ADDR="localhost", MASTER_PORT="0")
    if not torch.cuda.is_available():
        dist.init_process_group("gloo")
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
    torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl", device_id=device)
    return device


def any_process(flag: bool) -> bool:
    """Whether `flag` is set in any process. Asks over the CPU: no GPU has to wait."""
    flags = torch.tensor(int(flag))
    dist.all_reduce(flags, op=dist.ReduceOp.MAX)
    return bool(flags)
