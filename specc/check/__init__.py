"""What a training by a spec would be, before it begins."""
