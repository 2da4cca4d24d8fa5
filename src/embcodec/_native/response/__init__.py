"""Bodies of services: rows out of JSON, and into it."""
