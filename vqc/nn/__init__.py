"""Parts: tensors in, tensors out; no files, no configs, no models."""
