"""What is written, where objects are and which class each pixel has."""
