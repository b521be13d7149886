"""Reading a spec: its text, the place of every key, and what is wrong with it."""
