"""Isaac Lab environments for the sample_project project."""
