"""The parts that classifiers of images and of videos share."""
