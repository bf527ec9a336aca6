"""A toy kind of model: four files, and the row in `06_new_kind.py`."""
