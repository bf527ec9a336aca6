"""What a prior has learnt, drawn: codes from a seed, restored as images and recordings."""
