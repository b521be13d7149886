print(", ".join(f"{name} {value:.4f}" for name, value in metrics.items()))
