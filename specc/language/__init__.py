"""What the languages of all tasks share."""
