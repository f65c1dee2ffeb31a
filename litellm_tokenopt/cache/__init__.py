"""Stage 1: answers to repeated questions, without a model.

Scope before similarity: what must be equal is an exact key; similarity is asked of the last user turn alone, and a
veto stands behind it.
"""
