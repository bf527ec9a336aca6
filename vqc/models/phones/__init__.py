"""The `phones` codec: one codebook for what is said."""
