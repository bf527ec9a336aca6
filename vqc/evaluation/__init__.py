"""Evaluation of codecs: models measured on files, other codecs on the same files, tables and reports of both."""
