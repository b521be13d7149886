#% if data.multi_label
metrics, precisions = evaluate({{ train.evaluated }}, val_loader, device)
#% else
metrics, confusion = evaluate({{ train.evaluated }}, val_loader, device)
#% endif
