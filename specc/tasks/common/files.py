"""The files that the projects of all tasks have, and their templates."""


def shared_files(*, groups: bool, pretrained: bool) -> dict[str, str]:
    """Return the files that are the same for every task.

    Args:
        groups: whether parameters have settings of their own, and so a file that says which.
        pretrained: whether weights are read from a file of whatever tool.
    """
    names = [
        "requirements.txt",
        "train.py",
        "checkpoint.py",
        "distributed.py",
        "launch.sh",
        "launch.py",
        "smoke_test.py",
        *["optimizer.py"] * groups,
        *["pretrained.py"] * pretrained,
    ]
    return {name: f"shared/{name}" for name in names}
