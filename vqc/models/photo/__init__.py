"""The `photo` codec: images at eight rates, and its prior."""
