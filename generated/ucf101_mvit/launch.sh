#!/usr/bin/env bash
# Train on all GPUs of this machine, on some of them, or on those of several machines:
#   ./launch.sh
#   GPUS=2 ./launch.sh --resume
#   GPUS=8 NODES=2 ENDPOINT=first-machine:29500 ./launch.sh     # the same on each machine
# What follows the command goes to train.py. Without a GPU it trains on the CPU.
set -euo pipefail

GPUS=${GPUS:-$(python -c "import torch; print(max(1, torch.cuda.device_count()))")}
NODES=${NODES:-1}
ENDPOINT=${ENDPOINT:-localhost:29500}

if [ "$NODES" = 1 ]; then
    rendezvous=(--standalone)
else
    rendezvous=(--nnodes "$NODES" --rdzv-backend c10d --rdzv-endpoint "$ENDPOINT")
fi
exec torchrun "${rendezvous[@]}" --nproc-per-node "$GPUS" "$(dirname "$0")/train.py" "$@"
