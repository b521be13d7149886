"""`[launch]`: on which GPUs `launch.sh` and `specc run` train if not told otherwise."""

from typing import Annotated

from pydantic import Field

from specc.language.section import Count, Section, must_be


class Launch(Section):
    gpus: Count | None = None
    """GPUs of each machine; by default all that it has."""
    nodes: Count = 1
    """Machines."""
    endpoint: Annotated[
        str, Field(pattern=r"^[\w.\-]+:\d+$"), must_be('HOST:PORT, e.g. "node1:29500"')
    ] = "localhost:29500"
    """HOST:PORT on the first of several machines, where all of them meet."""
