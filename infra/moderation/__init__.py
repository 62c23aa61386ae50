"""The moderator: judges what callers ask and what models answer, before either reaches the other."""
