"""Which keys of a spec make which lines of a project."""
