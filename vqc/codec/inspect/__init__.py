"""What a `.vqc` file and a run of the codec can say about themselves: bits, maps of bits, checks, figures."""
