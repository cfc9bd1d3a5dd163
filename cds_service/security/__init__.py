"""Keys and fields that name a patient."""
