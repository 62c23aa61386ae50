"""What is there now: endpoints as a cluster shows them."""
