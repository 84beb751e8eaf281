"""The Market's schema, revision by revision. Run by `Market.upgrade`."""
