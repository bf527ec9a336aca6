"""The `voice` codec: what is said in codes, who says it in some bytes a file, which another voice's may replace."""
