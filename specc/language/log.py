"""`[log]`: where curves go."""

from specc.language.section import Section, Text


class Log(Section):
    tensorboard: bool = True
    """Whether to write curves and samples for TensorBoard."""
    wandb: Text | None = None
    """A project of Weights & Biases to log to as well."""
    mlflow: Text | None = None
    """An experiment of MLflow to log to as well."""
