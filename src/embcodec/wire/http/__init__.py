"""What both ends of a connection share: which addresses are this machine, and the key."""

from .address import is_loopback
from .secret import Secret, keep_out_of_logs, without_credentials

__all__ = ["Secret", "is_loopback", "keep_out_of_logs", "without_credentials"]
