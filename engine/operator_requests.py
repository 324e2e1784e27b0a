"""The operator's requests of a desk, from the screen, the control socket or the command line.

On the socket each is one JSON object; its field `request` says which. Whatever is asked, the desk
answers with one `OperatorOutcome`.
"""

import json
from typing import Annotated, Any, Final, Literal, get_args

from msgspec import Meta, Struct, structs

from compiled.model import number_bounds
from engine.config.form_reader import read_form, read_object, shorten_value
from engine.config.setting_types import Symbol

TAG: Final = "request"
Price = Annotated[float, Meta(ge=0, le=int(number_bounds.PRICE))]
Shares = Annotated[int, Meta(ge=0, le=int(number_bounds.ORDER))]
RequestNumber = Annotated[int, Meta(ge=0, le=2**62, title="the number of a request")]
Verdict = Literal["done", "refused", "unknown", "pending"]
AlertWay = Literal["above", "below", "change"]
DecisionChoice = Literal["adopt", "assign", "ignore", "flatten"]


class OperatorOutcome(Struct, frozen=True):
    """The outcome of a request.

    `unknown`: it may have happened, look before you ask again. `pending`: ask for the outcome of
    the number in `data`.
    """

    verdict: Verdict
    text: str = ""
    data: dict[str, Any] = {}

    @property
    def ok(self) -> bool:
        """Tell whether it is done."""
        return self.verdict == "done"

    def __str__(self) -> str:
        """Return it as one line for the operator."""
        return f"{self.verdict}: {self.text}"


def done(text: str = "", data: dict[str, Any] | None = None) -> OperatorOutcome:
    """Return the outcome of a request that is carried out."""
    return OperatorOutcome("done", text, data or {})


def refused(why: str) -> OperatorOutcome:
    """Return the outcome of a request that is not carried out, and will not be."""
    return OperatorOutcome("refused", why)


def pending(number: int) -> OperatorOutcome:
    """Return the outcome of a request that the engine has not answered yet."""
    return OperatorOutcome("pending", data={"number": number})


class OperatorRequest(Struct, frozen=True, tag_field=TAG):
    """The base of every request."""


# those the engine carries out; each has a number, under which its outcome is kept


class ExitRequest(OperatorRequest, frozen=True, tag="exit"):
    """Leave every rung of an instrument, or a part of it: shares, percent, one rung.

    The instrument is named by its token or, with 0, by its symbol.
    """

    token: Annotated[int, Meta(ge=0, le=2**62, title="the token of an instrument")] = 0
    symbol: str = ""
    quantity: Shares = 0
    part: Annotated[float, Meta(ge=0, le=100, title="percent of what is held")] = 0.0
    rung: str = ""


class StopRequest(OperatorRequest, frozen=True, kw_only=True, tag="protect"):
    """Move stop and target (rupees) of a symbol's rungs, or of one.

    The stop goes to a price, to percent from the last one, or to where nothing is lost; without
    any of them it stays. A `target` below 0 stays, one of 0 is taken away.
    """

    symbol: Symbol
    rung: str = ""
    price: Price = 0.0
    percent: Annotated[float, Meta(ge=0, le=50, title="percent from the last price")] = 0.0
    break_even: bool = False
    target: Annotated[float, Meta(ge=-1, le=int(number_bounds.PRICE))] = -1.0


class AddRungRequest(OperatorRequest, frozen=True, kw_only=True, tag="add"):
    """Add a rung to the open ladder of a symbol, at the market.

    Without a quantity as many shares as its plan says; a `stop` below 0 is that of its newest rung.
    """

    symbol: Symbol
    rung: str = ""
    quantity: Shares = 0
    stop: Annotated[float, Meta(ge=-1, le=50, title="percent of the average price")] = -1.0


class ReverseRequest(OperatorRequest, frozen=True, kw_only=True, tag="reverse"):
    """Leave a symbol, and enter its other side once it is flat.

    Without a quantity as many shares as were held; a `stop` below 0 is that of the newest rung.
    """

    symbol: Symbol
    quantity: Shares = 0
    stop: Annotated[float, Meta(ge=-1, le=50, title="percent of the average price")] = -1.0


class CancelRequest(OperatorRequest, frozen=True, tag="cancel"):
    """Cancel a working order, by our number or the broker's."""

    order: str


class OrderTicket(OperatorRequest, frozen=True, kw_only=True):
    """A new order; prices in rupees, 0: none.

    `stop` and `target` are percent of the average price, `minutes` of a TTL.
    """

    symbol: Symbol
    side: Literal["BUY", "SELL"]
    quantity: Annotated[int, Meta(ge=1, le=int(number_bounds.ORDER))]
    stop: Annotated[float, Meta(ge=0, le=50, title="percent of the average price, from 0 to 50")]
    target: Annotated[
        float, Meta(ge=0, le=500, title="percent of the average price, from 0 to 500")
    ] = 0.0
    price: Price = 0.0
    trigger: Price = 0.0
    product: Literal["CNC", "MIS", "NRML", "MTF"] = "CNC"
    validity: Literal["DAY", "IOC", "TTL"] = "DAY"
    minutes: Annotated[int, Meta(ge=0, le=int(number_bounds.MINUTES))] = 0
    variety: Literal["regular", "amo", "co", "iceberg"] = "regular"
    legs: Annotated[int, Meta(ge=0, le=int(number_bounds.LEGS))] = 0
    disclosed: Shares = 0
    slices: bool = False
    protection: Annotated[float, Meta(ge=-1, le=100, title="percent from 0 to 100, or -1")] = -1.0
    trail: bool = True


class PreviewRequest(OrderTicket, frozen=True, kw_only=True, tag="preview"):
    """Preview an order with its costs and margin; nothing is sent."""


class PlaceRequest(OrderTicket, frozen=True, kw_only=True, tag="order"):
    """Place an order by hand."""


class ModifyRequest(OperatorRequest, frozen=True, kw_only=True, tag="modify"):
    """Change a working order, by our number or the broker's; 0 leaves a value as it is."""

    order: Annotated[
        str, Meta(pattern=r"^\w{1,40}$", title="the number of an order, ours or the broker's")
    ]
    quantity: Shares = 0
    price: Price = 0.0
    trigger: Price = 0.0


class LimitRequest(OperatorRequest, frozen=True, tag="limit"):
    """Change a limit for the rest of the day: rupees, a count or a percentage.

    One that allows more than now has to be `confirmed`.
    """

    name: str
    value: float
    reason: str
    who: str = "terminal"
    confirmed: bool = False


class DecideRequest(OperatorRequest, frozen=True, tag="reconcile"):
    """Decide a difference between the broker's books and ours.

    `stop` is percent below the last price, 0: as configured. `ratio` says how many shares stand for
    one where they were divided, as "5:1", empty where the broker's books tell.
    """

    key: str
    choice: DecisionChoice
    strategy: str = ""
    stop: Annotated[float, Meta(title="percent below the last price")] = 0.0
    ratio: str = ""


class AcknowledgeRequest(OperatorRequest, frozen=True, tag="acknowledge"):
    """Take the mark of a strategy that has failed away."""

    strategy: str


class StopStrategyRequest(OperatorRequest, frozen=True, tag="stop-strategy"):
    """Stop a strategy for the rest of the day; with `leave` its positions are left, too."""

    strategy: str
    reason: str
    who: str = "terminal"
    leave: bool = False


class StartStrategyRequest(OperatorRequest, frozen=True, tag="start-strategy"):
    """Start a strategy that was stopped or has failed, made anew."""

    strategy: str
    reason: str
    who: str = "terminal"


class SetParametersRequest(OperatorRequest, frozen=True, tag="set-parameters"):
    """Change parameters of a strategy for the rest of the day.

    `values` are texts by key, each as it would be typed in the configuration.
    """

    strategy: str
    values: dict[str, str]
    reason: str
    who: str = "terminal"


StrategyRequests = StopStrategyRequest | StartStrategyRequest | SetParametersRequest


class WatchRequest(OperatorRequest, frozen=True, tag="watch"):
    """Put an instrument under watch for the rest of the day."""

    symbol: Symbol


class UnwatchRequest(OperatorRequest, frozen=True, tag="unwatch"):
    """Take an instrument off the watch for the rest of the day."""

    symbol: Symbol


class AlertRequest(OperatorRequest, frozen=True, tag="alert"):
    """Say so, once, when a price has come to a level: rupees, or percent of a change.

    A change of a negative level waits for a fall.
    """

    symbol: Symbol
    way: AlertWay
    level: Annotated[float, Meta(ge=-100, le=int(number_bounds.PRICE), title="a price or percent")]
    note: Annotated[str, Meta(max_length=200)] = ""


class DropAlertRequest(OperatorRequest, frozen=True, tag="drop-alert"):
    """Remove a price alert."""

    number: Annotated[int, Meta(ge=1, le=2**31, title="the number of an alert")]


EngineRequest = (
    ExitRequest
    | StopRequest
    | AddRungRequest
    | ReverseRequest
    | CancelRequest
    | PreviewRequest
    | PlaceRequest
    | ModifyRequest
    | LimitRequest
    | DecideRequest
    | AcknowledgeRequest
    | StopStrategyRequest
    | StartStrategyRequest
    | SetParametersRequest
    | WatchRequest
    | UnwatchRequest
    | AlertRequest
    | DropAlertRequest
)


# those the desk answers at once, from any thread, whatever the engine does


class KillRequest(OperatorRequest, frozen=True, tag="kill"):
    """Latch the kill switch."""

    flatten: bool = False
    reason: str = ""
    who: str = "terminal"


class ResumeRequest(OperatorRequest, frozen=True, tag="resume"):
    """Release the kill switch."""

    reason: str
    who: str = "terminal"


class StatusRequest(OperatorRequest, frozen=True, tag="status"):
    """Return the desk's state."""


class LimitsRequest(OperatorRequest, frozen=True, tag="limits"):
    """List every limit."""


class DifferencesRequest(OperatorRequest, frozen=True, tag="differences"):
    """List the differences between the broker's books and ours."""


class StrategiesRequest(OperatorRequest, frozen=True, tag="strategies"):
    """List the strategies with their state, P&L and parameters."""


class SearchRequest(OperatorRequest, frozen=True, tag="search"):
    """Look for instruments over all that the desk can trade; `most` are named."""

    text: Annotated[str, Meta(max_length=200)]
    most: Annotated[int, Meta(ge=1, le=500)] = 50


class WatchedRequest(OperatorRequest, frozen=True, tag="watched"):
    """List the instruments under watch."""


class AlertsRequest(OperatorRequest, frozen=True, tag="alerts"):
    """List the price alerts."""


class OutcomeRequest(OperatorRequest, frozen=True, tag="outcome"):
    """Return the outcome of a request to the engine."""

    number: RequestNumber


class AttachRequest(OperatorRequest, frozen=True, tag="attach"):
    """Attach a screen: the socket is its own from then on.

    `protocol` is the mark of what it understands, `where` the terminal, `values` the names of what
    it wants to be told besides the board.
    """

    role: Literal["viewer", "operator"]
    protocol: str
    where: str = ""
    values: list[str] = []


DeskRequest = (
    EngineRequest
    | AttachRequest
    | KillRequest
    | ResumeRequest
    | StatusRequest
    | LimitsRequest
    | DifferencesRequest
    | StrategiesRequest
    | SearchRequest
    | WatchedRequest
    | AlertsRequest
    | OutcomeRequest
)
KINDS: Final[dict[str, type[DeskRequest]]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(DeskRequest)
}


def read_request(text: str | bytes) -> DeskRequest:
    """Read a request from its JSON; raise `ValueError` with one line for whoever wrote it."""
    # Read loosely, then checked field by field: the answer names the field and its bounds.
    table = read_object(text)
    name = table.pop(TAG, "")
    # A list or an object in its place cannot be looked up at all.
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"no such request {shorten_value(name)}; there are {', '.join(KINDS)}")
    return read_form(table, kind)


def write_request(request: DeskRequest) -> str:
    """Return a request as `read_request` takes it."""
    return json.dumps({TAG: request_act(request), **structs.asdict(request)})


def request_act(request: DeskRequest) -> str:
    """Return a request's name, as the audit log has it."""
    return str(request.__struct_config__.tag)
