"""What will exist: pure functions from specs to a plan."""
