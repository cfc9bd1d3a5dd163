"""CDS Hooks: requests and assessments in, cards out; knows no HTTP framework, SQL or clock."""
