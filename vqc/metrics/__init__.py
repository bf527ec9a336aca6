"""What is measured of restored images and sounds, and how curves of such measurements are compared."""
