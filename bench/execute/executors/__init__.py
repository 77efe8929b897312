"""Where jobs run: this process, processes of this machine, Ray, Slurm. None of them knows anything of images."""
