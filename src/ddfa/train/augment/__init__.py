"""Augmented training crops in batches on the training device, with the distribution of `ddfa.data.augmentation`."""
