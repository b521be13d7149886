"""The language: what a spec may say, and what it means if it says nothing."""
