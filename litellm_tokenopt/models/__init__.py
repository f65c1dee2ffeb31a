"""Embedding models: one protocol, several backends, served without importing torch where possible."""
