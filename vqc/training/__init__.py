"""Losses and one resumable loop for autoencoders; tasks say what is trained."""
