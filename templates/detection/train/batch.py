inputs = to_floats(inputs, device)
targets = [
    {name: value.to(device, non_blocking=True) for name, value in target.items()}
    for target in targets
]
#% if train.micro_batch
share, losses = len(inputs), []
count = -(-share // MAX_BATCH_PER_GPU)
splits = [(inputs[part::count], targets[part::count]) for part in range(count)]
#% endif
