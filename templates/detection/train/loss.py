#% filter block(train.amp)
with torch.autocast(device.type, {{ train.amp }}):
    losses_by_name = ddp(images, targets)
#% endfilter
values = torch.stack([value.float() for value in losses_by_name.values()])
#% if train.micro_batch
values = values * len(images) / share
#% endif
loss = values.sum()
