"""Media to `.vqc` bytes and back. Nothing is imported here, so that reading a header stays quick."""
