"""Pictures of a run: its curves, and originals beside what is restored."""
