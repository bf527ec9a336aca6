"""Folders of this machine and of others, by path or by URL: listed, read and written alike."""
