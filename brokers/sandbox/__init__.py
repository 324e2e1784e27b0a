"""A local exchange that speaks Kite Connect v3, so that any program written on Kite runs without an account."""

from brokers.sandbox.config import SandboxConfig, SandboxEndpoint
from brokers.sandbox.faults import Fault
from brokers.sandbox.server import Sandbox

__all__ = ["Fault", "Sandbox", "SandboxConfig", "SandboxEndpoint"]
