"""Where answers and embeddings are kept: a guarded connection pool, and a server of our own where there is none."""
