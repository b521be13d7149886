"""What the projects of all tasks have, and how it is planned."""
