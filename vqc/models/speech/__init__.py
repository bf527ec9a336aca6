"""The `speech` codec: speech at eight rates, and its prior."""
