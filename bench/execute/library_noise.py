"""Hide messages of libraries that no user can act on; each is recognised by its source and its text."""

from __future__ import annotations

import logging
import warnings


def quiet_libraries() -> None:
    """Hide these messages in this process; further calls change nothing."""
    # Where bitsandbytes is installed, peft and diffusers import it, and it looks for kernels that nothing here uses.
    logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(_says_more_than_missing_kernels)
    # Networks that spandrel holds (DAT, SwinIR and others) call it in the way of older versions of torch.
    warnings.filterwarnings("ignore", "torch.meshgrid: in an upcoming release", UserWarning, "torch.functional")


def _says_more_than_missing_kernels(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Failed to load CPU gemm_4bit_forward from kernels-community")
