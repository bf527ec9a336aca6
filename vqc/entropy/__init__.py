"""Symbols to bytes and back, exactly: integer probability tables, a range coder, and plain bit packing."""
