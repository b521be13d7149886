#!/usr/bin/env bash
# Train on all GPUs of this machine, on some of them, or on those of several machines:
#   ./launch.sh
#   GPUS=2 ./launch.sh --resume
#   GPUS=8 NODES=2 ENDPOINT=first-machine:29500 ./launch.sh     # the same on each machine
#   CPU=2 ./launch.sh           # two processes without a GPU
# What follows the command goes to train.py. One process needs no torchrun.
set -euo pipefail

here=$(dirname "$0")
if [ -n "${CPU:-}" ]; then
    GPUS=$CPU NODES=1
    export CUDA_VISIBLE_DEVICES=
else
    available=$(python -c "import torch; print(torch.cuda.device_count())")
    GPUS=${GPUS:-$((available > 0 ? available : 1))}
    NODES=${NODES:-1}
    if [ "$GPUS" -gt $((available > 0 ? available : 1)) ]; then
        echo "$GPUS GPUs asked for, and this machine has $available;" \
            "CPU=$GPUS ./launch.sh takes processes on the CPU" >&2
        exit 1
    fi
fi
ENDPOINT=${ENDPOINT:-localhost:29500}

if [ "$NODES" != 1 ]; then
    rendezvous=(--nnodes "$NODES" --rdzv-backend c10d --rdzv-endpoint "$ENDPOINT")
elif [ "$GPUS" != 1 ]; then
    rendezvous=(--standalone)
else
    exec python "$here/train.py" "$@"
fi
exec python "$here/launch.py" "${rendezvous[@]}" \
    --nproc-per-node "$GPUS" "$here/train.py" "$@"
