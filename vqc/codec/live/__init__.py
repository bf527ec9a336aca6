"""Recordings that are compressed while they come in, and restored while the file comes in: in constant memory.

::

    blocks ─ framing.chunks ─► window ─ encoder_search ─► codes ─ entropy coder ─► a chunk of the file, at once
    blocks ◄ framing.join ◄─ codes of a chunk and of the one after it ◄─ chunks of the file, as they arrive

A sample is heard two chunks and the model's halo after it was recorded, and what the computing takes: the encoder waits
for the end of its chunk and the halo, the decoder for the next chunk.
"""
