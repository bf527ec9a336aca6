"""Wholes: a frozen config and the network it determines, the table of kinds, and model files."""
