"""Facts about the world as data files with typed readers.

`tools/derive_catalog.py` writes the data, but for families.toml, which it reads.
"""
