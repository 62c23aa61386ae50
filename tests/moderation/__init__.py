"""Tests of the moderator: its judges, its windows, and a real Envoy that asks it."""
