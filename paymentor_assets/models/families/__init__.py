"""Model families, one module each: which features, which targets, which settings."""
