"""The subcommands of `ddfa`, one typed function each; `ddfa.cli` gives them their names."""
