"""Model files: their header and tensors, and the models at hand."""
