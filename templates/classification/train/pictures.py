#% if data.multi_label
figure = draw_precisions(precisions, train_set.classes)
figure.savefig(args.output / "average_precision.png")
#% else
figure = draw_confusion(confusion, train_set.classes)
figure.savefig(args.output / "confusion_matrix.png")
#% endif
