"""What classifiers of images and of videos share."""
