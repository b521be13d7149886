"""Every decision that a generated project needs, made."""
