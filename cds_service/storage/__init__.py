"""Tables and the stores that own all SQL."""
