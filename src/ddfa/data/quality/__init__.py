"""Training samples for the quality head: crops whose landmark errors and occluded landmarks are known."""
