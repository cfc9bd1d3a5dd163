"""FHIR R4 to the model's inputs and labels; knows no HTTP, SQL or clock."""
