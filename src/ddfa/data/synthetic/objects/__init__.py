"""Objects on and in front of synthetic heads: hair, glasses, shoulders, hands, occluders."""
