"""Other codecs, run on the same files in the same run: one class each, and the search for files of equal size."""
