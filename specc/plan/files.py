"""The files that the projects of all tasks have, and their templates."""


def shared_files(*, groups: bool) -> dict[str, str]:
    """Those that are the same for every task; `groups` of parameters have a file of their own."""
    names = [
        "requirements.txt",
        "train.py",
        "checkpoint.py",
        "distributed.py",
        "launch.sh",
        "smoke_test.py",
        *["optimizer.py"] * groups,
    ]
    return {name: f"shared/{name}" for name in names}
