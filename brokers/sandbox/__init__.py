"""A local exchange that speaks Kite Connect v3: programs for Kite run without an account."""

from brokers.sandbox.config import SandboxConfig, SandboxEndpoint
from brokers.sandbox.faults import Fault
from brokers.sandbox.server import Sandbox

__all__ = ["Fault", "Sandbox", "SandboxConfig", "SandboxEndpoint"]
