evaluation = evaluate({{ train.evaluated }}, val_loader, truth, device)
metrics = evaluation.metrics
