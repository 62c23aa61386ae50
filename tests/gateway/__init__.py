"""Tests of the gateway: a real Envoy in front of fake engines."""
