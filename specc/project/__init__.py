"""A generated project on disk, which its owner edits and later builds bring up to date."""
