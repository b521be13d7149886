"""`[log]`: where curves go."""

from specc.spec.section import Section


class Log(Section):
    tensorboard: bool = True
    """Whether to write curves and samples for TensorBoard."""
