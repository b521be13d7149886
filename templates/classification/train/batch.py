inputs = normalize(inputs.to(device, non_blocking=True))
#% if train.channels_last
inputs = inputs.contiguous(memory_format=torch.channels_last)
#% endif
targets = targets.to(device, non_blocking=True)
#% if data.mix
inputs, targets = mix(inputs, targets, SEED, step)
#% endif
#% if loss.weighted_mean
# The weighted mean of the whole batch: processes are averaged by DDP.
share_weight = class_weights[targets].sum()
dist.all_reduce(share_weight)
share_weight = (share_weight / dist.get_world_size()).clamp(min=1e-8)
#% endif
#% if train.micro_batch
share, losses = len(inputs), []
count = -(-share // MAX_BATCH_PER_GPU)
splits = zip(inputs.tensor_split(count), targets.tensor_split(count), strict=True)
#% endif
