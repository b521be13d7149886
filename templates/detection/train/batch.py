inputs = to_floats(inputs, device)
targets = [
    {k: v.to(device, non_blocking=True) for k, v in target.items()}
    for target in targets
]
#% if train.micro_batch
share, losses = len(inputs), []
count = -(-share // MAX_BATCH_PER_GPU)
splits = [(inputs[i::count], targets[i::count]) for i in range(count)]
#% endif
