"""Scripts that train the packaged weights, and the rows they learn from (JSONL, which no wheel holds)."""
