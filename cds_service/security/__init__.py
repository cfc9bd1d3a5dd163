"""Who calls and what was agreed; keys, tokens and secrets; fields that name a patient."""
