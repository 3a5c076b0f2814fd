"""Training data: data sets, pseudo-labels, pose-augmented and synthetic images, augmentation, occlusion samples."""
