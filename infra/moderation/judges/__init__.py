"""Who judges texts, a file each: words and patterns at once, a service and a guard model when asked."""
