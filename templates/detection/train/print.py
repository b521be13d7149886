print(summary(metrics))
