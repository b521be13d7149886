images = to_floats(images, device)
targets = [
    {name: value.to(device, non_blocking=True) for name, value in target.items()}
    for target in targets
]
#% if train.micro_batch
share, losses = len(images), []
count = -(-share // MAX_BATCH_PER_GPU)
splits = [(images[part::count], targets[part::count]) for part in range(count)]
#% endif
