draw_precisions(evaluation.by_class).savefig(args.output / "average_precision.png")
figure = draw_results(val_set, evaluation.results)
figure.savefig(args.output / "predictions.png")
#% if train.tensorboard
writer.add_figure("predictions", figure, step)
#% endif
