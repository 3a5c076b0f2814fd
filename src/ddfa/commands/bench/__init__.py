"""`ddfa bench ...`: one module per benchmark."""
