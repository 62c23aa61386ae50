"""Tests of the page that `modelunits size --html` writes."""
