"""Feed contracts (YAML, one a feed) and what follows from them."""
