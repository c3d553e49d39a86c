"""The experiment of `qwen compare`: tasks, the checks of their answers, and the statistics of the differences."""
