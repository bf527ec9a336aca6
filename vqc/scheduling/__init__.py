"""Tasks to workers and results back: one scheduler for processes of this machine and for a Ray cluster."""
