#% filter block(train.amp)
with torch.autocast(device.type, {{ train.amp }}):
    logits = ddp(inputs)
#% endfilter
#% if train.amp
logits = logits.float()
#% endif
loss = {{ loss.call }}
#% if teacher
with torch.no_grad():
    #% filter block(train.amp)
    with torch.autocast(device.type, {{ train.amp }}):
        teacher_logits = teacher({{ teacher.inputs }})
    #% endfilter
distillation = distillation_loss(logits, teacher_logits.float())
#% if train.micro_batch and loss.weighted_mean
distillation = distillation * len(inputs) / share
#% endif
loss = (1 - DISTILL_ALPHA) * loss + DISTILL_ALPHA * distillation
#% endif
#% if train.micro_batch and not loss.weighted_mean
loss = loss * len(inputs) / share
#% endif
