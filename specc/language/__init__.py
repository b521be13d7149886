"""The sections that the languages of all tasks share."""
