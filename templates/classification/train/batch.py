images = normalize(images.to(device, non_blocking=True))
#% if train.channels_last
images = images.contiguous(memory_format=torch.channels_last)
#% endif
targets = targets.to(device, non_blocking=True)
#% if data.mix
images, targets = mix(images, targets, SEED, step)
#% endif
#% if train.micro_batch
share, losses = len(images), []
count = -(-share // MAX_BATCH_PER_GPU)
splits = zip(images.tensor_split(count), targets.tensor_split(count), strict=True)
#% endif
