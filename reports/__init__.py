"""Pure rendering: frames and images in; tables, figures and pages out."""
