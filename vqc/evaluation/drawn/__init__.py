"""What a prior draws, measured by others: how far it is from the world, and from codes drawn without a prior."""
