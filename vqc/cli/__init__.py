"""The `vqc` command. Arguments in, library calls, printing out; nothing here knows how a byte is made."""
