"""What each benchmark tool writes: the part that is read of it, and what it means."""
