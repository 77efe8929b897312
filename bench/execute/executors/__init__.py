"""Executors of jobs: this process, processes of this machine, Ray, Slurm. They are independent of images."""
