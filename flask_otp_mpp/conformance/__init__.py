"""Tools that tell whether an integration conforms to the protocols."""
