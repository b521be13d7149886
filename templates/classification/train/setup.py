#% if loss.class_weights == "balanced" and data.multi_label
labels = torch.tensor([label for labels in train_set.labels for label in labels])
positives = torch.bincount(labels, minlength=NUM_CLASSES)
class_weights = (len(train_set) - positives) / positives.clamp(min=1)
class_weights = class_weights.to(device)
#% elif loss.class_weights == "balanced"
counts = torch.bincount(torch.tensor(train_set.labels), minlength=NUM_CLASSES)
class_weights = (len(train_set) / NUM_CLASSES / counts.clamp(min=1)).to(device)
#% elif loss.class_weights
class_weights = torch.tensor(CLASS_WEIGHTS, device=device)
#% endif
#% if data.multi_label
if MONITOR != "loss" and not any(val_set.labels):
    raise SystemExit(f"no validation image has a label, and so {MONITOR} no value")
#% endif
#% if teacher
teacher = build_teacher(train_set.classes).to(device)
#% endif
