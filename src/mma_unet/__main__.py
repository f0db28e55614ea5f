"""`python -m mma_unet`: the same as the `mma-unet` command."""

from mma_unet.cli.main import run

if __name__ == "__main__":
    run()
