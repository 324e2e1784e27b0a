"""A world whose desk keeps its session as a real one does.

With the keeper, from where logins are kept.
"""

from types import SimpleNamespace

from brokers.connection import Connection
from brokers.session.day_session import DaySession
from compiled.model.values import SECOND
from engine.ports import BrokerRules
from tui.run import feed as markets
from tui.run.credentials import BrokerEndpoint, Credentials

LIVES_S = 7 * 86_400


class InSession:
    """Stands before a `World`: a dead token is followed by a login the desk must notice."""

    market = None

    def keep_session(self, monkeypatch):
        """Have every desk from now on kept in session."""
        self._user = self.exchange.session.user_id
        self.ports |= {"beside": self.beside, "throughout": self._throughout}
        monkeypatch.setattr(markets, "connect_broker", lambda *_, **__: self._connection())

    def _connection(self):
        broker = self.process.broker
        return Connection(broker, self.process.feed, broker, BrokerRules(), None, broker.history)

    def log_in(self):
        """Log in again."""
        session = self.exchange.session
        session.access_token = session._issue_token("access")

    def token_died(self, process):
        del process
        if self.market is not None:
            self.market._token_died()

    def beside(self, loop):
        """Return what runs beside an opened day."""
        return list(self.market.beside(loop))

    def _session(self):
        session = self.exchange.session
        return DaySession(
            session.api_key, session.access_token, self._user, self.clock.start + LIVES_S * SECOND
        )

    def _throughout(self, loop):
        access = Credentials(
            BrokerEndpoint("https://x", "wss://x", "", "k"), self._session(), self._session
        )
        exchange = SimpleNamespace(access=access, clock=self.clock, pacer=None)
        station = SimpleNamespace(sends_real_orders=True, kill=self.process.kill)
        self.market = markets.MarketConnection(station, exchange, self.process.journal, None, {})
        return self.market.throughout(loop)
