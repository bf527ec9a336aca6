"""The `.vqc` format: the bytes of a file, and how a signal is cut into segments. What is here may never change."""
