"""One resumable training loop for every model: batches, optimizers, averages, checkpoints, and who watches."""
