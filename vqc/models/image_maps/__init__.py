"""The `image-maps` codec: several code maps on one fine grid."""
