"""Account at the sandbox: funds, margins, shares, mutual funds, login."""
