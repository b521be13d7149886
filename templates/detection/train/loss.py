#% filter block(train.amp)
with torch.autocast(device.type, {{ train.amp }}):
    losses_by_name = ddp(inputs, targets)
#% endfilter
values = torch.stack([v.float() for v in losses_by_name.values()])
#% if train.micro_batch
values = values * len(inputs) / share
#% endif
loss = values.sum()
