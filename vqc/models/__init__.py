"""Wholes: a frozen config and the network it determines, the registry of kinds, checkpoints, the library of models."""
