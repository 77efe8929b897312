"""Messages of libraries on which no user can act; each is known by where it comes from and by its words."""

from __future__ import annotations

import logging
import warnings


def quiet_libraries() -> None:
    """Drop those messages in this process; called again it changes nothing."""
    # Where bitsandbytes is installed, peft and diffusers import it, and it looks for kernels that nothing here uses.
    logging.getLogger("bitsandbytes.backends.cpu.ops").addFilter(_says_more_than_missing_kernels)
    # Networks that spandrel holds (DAT, SwinIR and others) call it in the way of older versions of torch.
    warnings.filterwarnings("ignore", "torch.meshgrid: in an upcoming release", UserWarning, "torch.functional")


def _says_more_than_missing_kernels(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("Failed to load CPU gemm_4bit_forward from kernels-community")
