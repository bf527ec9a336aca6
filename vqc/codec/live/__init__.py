"""Recordings that are compressed while they come in, and restored while the file comes in: in constant memory.

::

    blocks ─ framing.chunks ─► window ─ encoder_search ─► codes ─ entropy coder ─► a chunk of the file, at once
    blocks ◄ framing.join ◄─ codes of a chunk, then with the one after it ◄─ chunks of the file, as they arrive

A sample is heard at most a chunk and two halos of the model after it was recorded, and what the computing takes: the
encoder waits for the end of its chunk and the halo; the decoder gives at once what the next chunk cannot change, which
is all but the last halo, and then restores the chunk again with the next one.
"""
