"""Training of the quality head: error and occlusion of landmarks, estimated from the features of a regressor."""
