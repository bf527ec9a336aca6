"""Archives: many items, coded in batches, in one file under one header."""
