"""Ways to break the core: each takes one promise back (`tests/mutants/hunt.py` hunts them)."""

from tests.mutants.engine_mutants import Mutant

BOOK = "compiled/trading/ladder_book.py"
FEED = "compiled/trading/market_feed.py"
GATE = "compiled/trading/risk_gate.py"
HOST = "compiled/trading/strategy_host.py"
VIEW = "compiled/trading/desk_view.py"
CHARGES = "compiled/accounting/charges.py"
KERNEL = "compiled/trading/kernel.py"
EVENTS = "compiled/model/events.py"
ANSWERS = "compiled/trading/reports/order_reports.py"
PROTECTION = "compiled/trading/protection.py"
ORDERS = "compiled/trading/order_states.py"
OUTBOX = "compiled/trading/order_store.py"
TRIGGERS = "compiled/trading/reports/gtt_reports.py"
ENTRIES = "compiled/trading/order_entry.py"
NOTES = "compiled/accounting/contract_notes.py"
GUARD = "compiled/trading/stop_orders.py"
BAND = "compiled/model/exchange_rules.py"
LADDER = "compiled/trading/ladder.py"
EXITS = "compiled/trading/exits/exit_escalation.py"
ADOPTION = "compiled/trading/reports/corrections.py"
RESTORE = "compiled/trading/restart/kernel_restore.py"

CORE = (
    Mutant(
        "a strategy is stopped after it has heard of it",
        HOST,
        "        slot.stopped = reason if slot.error is None else slot.stopped\n",
        "        slot.stopped = slot.stopped if ran else reason\n",
    ),
    Mutant(
        "the entries of a stopped strategy stay",
        HOST,
        "        self.order_entry.cancel_entries(slot.name)\n        if ran:",
        "        if ran:",
    ),
    Mutant(
        "a stopped strategy goes on asking for its further rungs",
        FEED,
        "                    and not self.state.is_stopped_by_hand(ladder.strategy)\n",
        "",
    ),
    Mutant(
        "an entry that could not be cancelled when its strategy was stopped stays",
        KERNEL,
        "            if slot.hand_stopped:\n",
        "            if False:\n",
    ),
    Mutant(
        "a stop that leaves keeps the positions",
        KERNEL,
        "        if event.leave:\n",
        "        if False:\n",
    ),
    Mutant(
        "a stop that leaves takes the positions of others along",
        KERNEL,
        "                if ladder.strategy == event.strategy:\n",
        "                if True:\n",
    ),
    Mutant(
        "a restart lets a stopped strategy go on",
        RESTORE,
        '            slot.hand_stopped = reason != ""\n',
        "            slot.hand_stopped = False\n",
    ),
    Mutant(
        "a strategy that is started asks while it hears its past",
        HOST,
        "        slot.context.warming = True\n        for bar in bars:\n",
        "        slot.context.warming = False\n        for bar in bars:\n",
    ),
    Mutant(
        "a stop stands for shares that are not there",
        PROTECTION,
        "gtt_legs(ladder, rung, rung.stop, rung.staying),\n",
        "gtt_legs(ladder, rung, rung.stop, rung.quantity),\n",
    ),
    Mutant(
        "an exit sells shares that are not there",
        PROTECTION,
        "side=ladder.exit_side, quantity=rung.present, last=last)",
        "side=ladder.exit_side, quantity=rung.quantity, last=last)",
    ),
    Mutant(
        "what could sell somebody else's shares stays",
        PROTECTION,
        "    if rung.present == 0 and not ladder.plan.cover:",
        "    if False:",
    ),
    Mutant(
        "things leave before the books are compared",
        BOOK,
        "if self.state.is_blind and not self.state.flattening:",
        "if False:",
    ),
    Mutant(
        "a flatten waits for the books",
        BOOK,
        "if self.state.is_blind and not self.state.flattening:",
        "if self.state.is_blind:",
    ),
    Mutant(
        "a stop that fired while the desk was away has sold nothing",
        TRIGGERS,
        "            self.ladder_book.hold_back(rung, rung.quantity)\n",
        "            pass\n",
    ),
    Mutant(
        "what a stop has sold is written off at the last price",
        ADOPTION,
        "                price = gtt.fired\n",
        "                pass\n",
    ),
    Mutant(
        "a stop for too few shares waits as one that trails",
        LADDER,
        "SECOND if resized else ladder.plan",
        "ladder.plan",
    ),
    Mutant(
        "the id of an order that is known is taken for ours",
        ANSWERS,
        "return stranger or (known is not None and known is not order and known.parent != "
        "order.intent)",
        "return False",
    ),
    Mutant(
        "a halt leaves working entries alone",
        BOOK,
        "                        self.order_store.cancel_order(rung.entry)",
        "                        pass",
    ),
    Mutant(
        "a dry run forgets what it would hold",
        ANSWERS,
        "            self.state.dry_run_entries.append(order)\n",
        "            pass\n",
    ),
    Mutant(
        "a dry run asks again for what it would hold",
        ENTRIES,
        "            for order in self.state.dry_run_entries:",
        "            for order in self.state.dry_run_entries[:0]:",
    ),
    Mutant(
        "what a dry run would hold is in no limit",
        VIEW,
        "        for order in self.state.dry_run_entries:",
        "        for order in self.state.dry_run_entries[:0]:",
    ),
    Mutant(
        "orders on their way do not count as exposure",
        VIEW,
        "coming = outstanding_quantity(entry)",
        "coming = 0",
    ),
    Mutant(
        "stops for more than is held count as right",
        VIEW,
        "standing_quantity(rung) > rung.present",
        "False",
    ),
    Mutant(
        "what comes late stays although all was to be sold",
        BOOK,
        "        if self.state.flattening:\n            ladder.leaving = True\n",
        "        if False:\n            ladder.leaving = True\n",
    ),
    Mutant(
        "a flatten waits for an exit that was given up",
        BOOK,
        "                    rung.doubt_until = 0\n",
        "                    pass\n",
    ),
    Mutant(
        "a flatten only halts",
        KERNEL,
        'self.ladder_book.leave_ladder(ladder, "flatten")',
        "pass",
    ),
    Mutant(
        "intraday positions are left to the broker",
        KERNEL,
        'self.ladder_book.leave_ladder(ladder, "square-off")',
        "pass",
    ),
    Mutant(
        "what cannot be cancelled at once stays",
        KERNEL,
        "            self.ladder_book.clear_strays()\n",
        "            pass\n",
    ),
    Mutant(
        "a band that moves leaves stops where they stand",
        FEED,
        "                rung.needs_refit = True\n",
        "                pass\n",
    ),
    Mutant(
        "yesterday's last price makes today's bar",
        FEED,
        "if not tick.traded_since(self.state.today):",
        "if False:",
    ),
    Mutant(
        "what a strategy asked for before it died is done",
        HOST,
        "            return\n        slot.call_count += 1\n        if slot.context.requests:\n"
        "            self._handle_requests(slot, DecisionCause(TICK",
        "        slot.call_count += 1\n        if slot.context.requests:\n"
        "            self._handle_requests(slot, DecisionCause(TICK",
    ),
    Mutant(
        "what waited for the open goes by an older price",
        HOST,
        "priced = market.live and not market.untraded and market.heard_at >= hours.opens",
        "priced = True",
    ),
    Mutant(
        "strategies hear what is cold",
        HOST,
        "                market.listeners = []\n",
        "",
    ),
    Mutant(
        "an expiring contract is not left",
        KERNEL,
        "(ladder.plan.product is Product.MIS or ladder.instrument.hours.clears)",
        "ladder.plan.product is Product.MIS",
    ),
    Mutant(
        "an entry accepted after the latch stays",
        KERNEL,
        "            # an entry accepted after the latch closed has its order id only now\n"
        "            self._halt_entries()\n",
        "",
    ),
    Mutant(
        "what a strategy died of is forgotten",
        HOST,
        "        slot.error = error\n",
        "",
    ),
    Mutant(
        "what a day's bar asks for does not wait for the open",
        HOST,
        "if slot.span == DAY and cause.what == BAR:",
        "if False:",
    ),
    Mutant(
        "the last day's bar asks for nothing",
        HOST,
        "slot.context.warming = not (last_day and since < market.instrument.hours.opens)",
        "slot.context.warming = True",
    ),
    Mutant(
        "what a day's bar asks for is lost when its history comes after the open",
        HOST,
        "since = market.cold_since if market.cold_since > 0 else self.order_store.now",
        "since = self.order_store.now",
    ),
    Mutant(
        "a trade is booked twice",
        ANSWERS,
        "        if key in self.applied:\n            return\n",
        "",
    ),
    Mutant(
        "an exit nobody knew is looked at once only",
        ANSWERS,
        "            self._review_externals()",
        "            pass",
    ),
    Mutant(
        "the stop of a cover order is not where the broker has put it",
        BOOK,
        "                    rung.stop = order.trigger\n",
        "                    pass\n",
    ),
    Mutant(
        "the id of an answer outranks the tag",
        ANSWERS,
        "        if order is not None and order.tag and event.tag != order.tag:\n",
        "        if False:\n",
    ),
    Mutant(
        "the fill of an order that only an answer has named is booked",
        ANSWERS,
        "        if order is None or (order.tag and not order.proven):\n",
        "        if order is None:\n",
    ),
    Mutant("a twin that works goes on", ANSWERS, "        twin.unwanted = True\n", ""),
    Mutant(
        "a restart forgets the day's notes",
        ANSWERS,
        "self._restore_note_entry(order, trade_id, ts=ts, quantity=quantity, "
        "value=value, charges=charges)",
        "pass",
    ),
    Mutant(
        "an unwanted order that got its id stays",
        ANSWERS,
        "        if order.unwanted:\n            self.ladder_book.cancel_stray(order)",
        "        if order.unwanted:\n            pass",
    ),
    Mutant(
        "an entry that was given up is kept when it comes",
        ANSWERS,
        "            order.unwanted = True\n        elif",
        "            pass\n        elif",
    ),
    Mutant(
        "a second exit stays beside the first",
        BOOK,
        "                rung.exit = order\n            else:\n"
        "                self.cancel_stray(order)",
        "                rung.exit = order",
    ),
    Mutant(
        "a busy broker's refusals cost a position its stop",
        EVENTS,
        "return outcome is RequestOutcome.BUSY or outcome is RequestOutcome.SESSION_LOST",
        "return False",
    ),
    Mutant(
        "delivery closed on its day is charged as delivery",
        CHARGES,
        "    if product is not Product.CNC:\n        return None\n",
        "    return None\n",
    ),
    Mutant(
        "the sibling of an exit is not deleted",
        PROTECTION,
        "        out.delete_gtt(gtt)\n    if entry is not None and not is_settled(entry):\n"
        "        return\n    unguarded",
        "        pass\n    if entry is not None and not is_settled(entry):\n        return\n"
        "    unguarded",
    ),
    Mutant(
        "an exit leaves while its stop still stands",
        PROTECTION,
        "    if gtt is not None and gtt.live:\n        if not takes:\n"
        "            _correct_stop(out, ladder, rung, last)\n"
        "        elif gtt.status is GttStatus.ACTIVE:\n            out.delete_gtt(gtt)\n"
        "        return\n",
        "",
    ),
    Mutant(
        "protection keeps its size when more is filled",
        PROTECTION,
        "    resized = gtt.legs[0].quantity != rung.staying\n    by_hand",
        "    resized = False\n    by_hand",
    ),
    Mutant(
        "nothing is protected",
        PROTECTION,
        "    else:\n        _place_gtt(out, ladder, rung, last)\n\n\ndef _near_level",
        "\n\ndef _near_level",
    ),
    Mutant(
        "a stop follows the price down",
        PROTECTION,
        "    stop = wanted_stop(ladder, rung)\n    if not _needs_change",
        "    stop = stop_at(ladder, rung, last)\n    if not _needs_change",
    ),
    Mutant(
        "what was sold twice stays sold",
        PROTECTION,
        "        _undo_oversold(out, ladder, rung, last)\n        return\n",
        "        return\n",
    ),
    Mutant(
        "an exit that may still arrive is sent again",
        PROTECTION,
        "if takes and out.now < rung.doubt_until and _waits_behind_stop(out, ladder, rung, last):",
        "if False:",
    ),
    Mutant(
        "an exit offers more than there is",
        PROTECTION,
        "    if offered_quantity(order) > rung.present:\n",
        "    if False:\n",
    ),
    Mutant(
        "a stop stays beside the exit it stood for",
        PROTECTION,
        "    if rung.gtt is not None and rung.gtt.live:\n        out.delete_gtt(rung.gtt)\n"
        "    stop_orders.withdraw_stop_order(out, rung)\n    part = rung.part_exit",
        "    part = rung.part_exit",
    ),
    Mutant(
        "a fired GTT without an order is waited for",
        PROTECTION,
        "        if not _may_show_order(out, gtt):\n",
        "        if False:\n",
    ),
    Mutant(
        "what waits for the next session is told every second",
        PROTECTION,
        "        rung.wait_reported = True\n",
        "",
    ),
    Mutant(
        "entries that rest stay through unconfirmed hours",
        PROTECTION,
        "or ladder.instrument.hours.withdraws_entry(out.now, entry.created)",
        "",
    ),
    Mutant(
        "an exit at a broker of LIMIT orders leaves at the market",
        EXITS,
        "    if out.limit_only:\n        if last <= 0.0:",
        "    if False:\n        if last <= 0.0:",
    ),
    Mutant(
        "a fill of an order given up is ignored",
        ORDERS,
        "    OrderStatus.LOST: _WORKING,",
        "    OrderStatus.LOST: (),",
    ),
    Mutant(
        "an old row takes fills back",
        ORDERS,
        "    if update.filled > order.filled:\n",
        "    if True:\n",
    ),
    Mutant(
        "what was cancelled works again",
        ORDERS,
        "OrderStatus.CANCELLED: (),",
        "OrderStatus.CANCELLED: _WORKING,",
    ),
    Mutant(
        "an order is over before its trades are known",
        ORDERS,
        "        if each.live or each.traded < each.filled:\n            return False",
        "        if each.live:\n            return False",
    ),
    Mutant(
        "a tag that stands at the broker is given out again",
        OUTBOX,
        "max(self.next_intent, number + 1)",
        "self.next_intent",
    ),
    Mutant(
        "an operator's wish waits for the back-off",
        OUTBOX,
        "            order.retry_at = 0\n",
        "            pass\n",
    ),
    Mutant(
        "a cover order is written off the intraday shares beside it",
        "compiled/trading/reports/corrections.py",
        "or ladder.plan.cover is not cover",
        "or ladder.plan.cover",
    ),
    Mutant(
        "a division leaves the stop where it was",
        "compiled/trading/reports/share_division.py",
        "rung.stop = ladder.instrument.snap(rung.stop * price, -sign)",
        "pass",
    ),
    Mutant(
        "a division leaves the shares as they were",
        "compiled/trading/reports/share_division.py",
        "quantity = held * event.shares // event.per - before",
        "quantity = rung.quantity",
    ),
    Mutant(
        "what was bought on the day itself is divided, too",
        "compiled/trading/reports/share_division.py",
        "return delivered and rung.quantity > 0 and rung.opened < before",
        "return delivered and rung.quantity > 0",
    ),
    Mutant(
        "intraday and derivative positions are divided, too",
        "compiled/trading/reports/share_division.py",
        "return delivered and rung.quantity > 0 and rung.opened < before",
        "return rung.quantity > 0 and rung.opened < before",
    ),
    Mutant(
        "a division leaves the position of the ledger as it was",
        "compiled/trading/reports/share_division.py",
        "self.state.ledger.restate(position, quantity, divided_price(position.last, event, high))",
        "pass",
    ),
    Mutant(
        "the GTT of undivided shares stays",
        "compiled/trading/reports/share_division.py",
        "self.order_store.delete_gtt(gtt)",
        "pass",
    ),
    Mutant(
        "what is divided is sold before the books have been read",
        "compiled/trading/reports/share_division.py",
        "self.ladder_book.hold_back(rung, max(rung.quantity, 0))",
        "self.ladder_book.hold_back(rung, 0)",
    ),
    Mutant(
        "a disabled GTT holds nothing",
        TRIGGERS,
        'self.ladder_book.hold_back(rung, max(rung.quantity, 0))\n        text = ("GTT "',
        'text = ("GTT "',
    ),
    Mutant(
        "what is written off goes on lacking",
        "compiled/trading/reports/corrections.py",
        "absent = max(rung.absent - part, 0)",
        "absent = rung.absent",
    ),
    Mutant(
        "what an exit sells is written off, too",
        "compiled/trading/reports/corrections.py",
        "if part <= 0 or rung.exit is not None or rung.part_exit is not None:",
        "if part <= 0:",
    ),
    Mutant(
        "a GTT that cannot grow with its position is asked for ever",
        TRIGGERS,
        "if self.view.lacks_protection(ladder, rung, self.state.markets[int(gtt.token)].last):",
        "if False:",
    ),
    Mutant(
        "the exit beside a fired GTT goes on",
        BOOK,
        "        if rung.exit is not None:\n            self.cancel_stray(rung.exit)\n",
        "",
    ),
    Mutant(
        "a GTT that is nobody's stop stays",
        TRIGGERS,
        "if rung.gtt is not gtt or not rung.live:",
        "if False:",
    ),
    Mutant(
        "the twin of a GTT takes its place",
        TRIGGERS,
        "if gtt.gtt_id and gtt.gtt_id != gtt_id:",
        "if False:",
    ),
    Mutant(
        "a refused stop is asked for again at once",
        BOOK,
        "rung.protect_at = now + max((rung.refusals + 1) * SECOND, wait)",
        "rung.protect_at = now",
    ),
    Mutant(
        "more is bought than any stop can hold",
        GATE,
        "entry.terms.makes_several_orders and rung.plan.stop_percent <= 0.0",
        "entry.terms.makes_several_orders",
    ),
    Mutant(
        "entries go by yesterday's last price",
        GATE,
        " or market.untraded",
        "",
    ),
    Mutant(
        "strategies enter what is cold",
        GATE,
        "if market.is_cold and strategy != OPERATOR:",
        "if False:",
    ),
    Mutant(
        "an expiring contract is entered after it was left",
        GATE,
        "(plan.product is Product.MIS or hours.clears)",
        "plan.product is Product.MIS",
    ),
    Mutant(
        "financed shares are sold short",
        GATE,
        " or plan.product is Product.MTF):",
        "):",
    ),
    Mutant(
        "a broker of LIMIT orders is asked for others",
        GATE,
        "if view.order_store.limit_only and not _is_bare_limit(strategy, plan, entry):",
        "if False:",
    ),
    Mutant("a restart charges twice", NOTES, "        self.charged += charges\n", ""),
    Mutant(
        "a fill told late is netted as the last",
        NOTES,
        "if not fills or fill.follows(fills[-1]):",
        "if True:",
    ),
    Mutant("a partly filled stop is no exit", GUARD, " or order.traded > 0:", ":"),
    Mutant(
        "a stop off the band is asked for",
        GUARD,
        "return edge if float(ladder.sign) * (edge - stop) > 0.0 else stop",
        "return stop",
    ),
    Mutant(
        "a stop's limit stands before its trigger",
        BAND,
        "return clamp_to_band(instrument, limit) if is_inside_band(instrument, trigger) else limit",
        "return clamp_to_band(instrument, limit)",
    ),
    Mutant(
        "a limit before its trigger counts as one that fills",
        BAND,
        "return float(sign) * (limit - trigger) >= -HAIR",
        "return True",
    ),
    Mutant(
        "a limit before its trigger counts as one that could fill",
        BAND,
        "if not is_limit_beyond(sign, trigger, limit) or not instrument.on_grid(limit):",
        "if not instrument.on_grid(limit):",
    ),
    Mutant(
        "a limit off the band counts as one that fills",
        BAND,
        "return not is_inside_band(instrument, trigger) or is_inside_band(instrument, limit)",
        "return True",
    ),
    Mutant(
        "a limit off the grid counts as one that fills",
        BAND,
        " or not instrument.on_grid(limit):",
        ":",
    ),
    Mutant(
        "a target off the grid is moved for ever",
        LADDER,
        " and aim != ladder.instrument.snap(rung.target, ladder.sign)",
        "",
    ),
    Mutant(
        "an order that follows a rejection counts at once",
        LADDER,
        "0 if turned and order.seen - order.created < PROVEN * SECOND else "
        "outstanding_quantity(order)",
        "outstanding_quantity(order)",
    ),
    Mutant(
        "nothing protects what waits for the closing auction",
        PROTECTION,
        "    if out.now < rung.protect_at or last <= 0.0:\n        return\n    bare",
        "    if out.now < rung.protect_at or last <= 0.0 or hours.closes <= out.now < "
        "hours.auction:\n        return\n    bare",
    ),
    Mutant(
        "a stop that cannot fill counts as protection",
        LADDER,
        "return (leg.quantity if could_fill(ladder.instrument, ladder.exit_side, leg.trigger, "
        "leg.price) else 0)",
        "return leg.quantity",
    ),
    Mutant(
        "an exit away from the price counts as protection",
        LADDER,
        " or not _could_trade(ladder, order, last):",
        ":",
    ),
    Mutant(
        "shares that the depository would not let go count as protected",
        LADDER,
        "    if _is_bound(ladder, rung):\n        return 0\n",
        "",
    ),
    Mutant(
        "an exit is moved back",
        EXITS,
        "if order.price > 0.0 and float(sign) * (price - order.price) <= 0.0:",
        "if False:",
    ),
    Mutant(
        "an exit that has become unwanted stays", EXITS, "if not wanted or not taken:", "if False:"
    ),
    Mutant(
        "an exit is escalated off the band",
        BAND,
        "return clamp_to_band(instrument, at_least_a_tick(instrument, worst))",
        "return worst",
    ),
    Mutant(
        "a trigger keeps a part of a cheap share's price away",
        BAND,
        "return self.cheap if last < self.cheap_below else last * self.percent / 100.0",
        "return last * self.percent / 100.0",
    ),
    Mutant(
        "an entry is sent although its stop cannot stand",
        GATE,
        "if reason is RefusalReason.OK and not _stop_can_stand(",
        "if False and not _stop_can_stand(",
    ),
    Mutant(
        "a refusal in unconfirmed hours is a fault",
        "compiled/model/values.py",
        "return self.auction == 0 and self.closes <= ts < self.ends",
        "return False",
    ),
    Mutant(
        "what is worth too much is worth little",
        "compiled/model/values.py",
        "if not -_MOST < about < _MOST or quantity == 0:",
        "if quantity == 0:",
    ),
    Mutant(
        "a stop that somebody has moved away stands",
        "compiled/trading/reports/gtt_reports.py",
        "stands = self.order_store.yields_to_others and float(ladder.sign) * (theirs - ours) >= "
        "0.0",
        "stands = self.order_store.yields_to_others",
    ),
    Mutant(
        "a stop that is changed while its exit waits for the next session stays so",
        PROTECTION,
        "        if not takes:\n            _correct_stop(out, ladder, rung, last)\n"
        "        elif gtt.status",
        "        if takes and gtt.status",
    ),
    Mutant(
        "an intraday stop that somebody has moved away stands",
        ANSWERS,
        "stands = self.order_store.yields_to_others and sign * (order.trigger - ours) >= 0.0",
        "stands = self.order_store.yields_to_others",
    ),
    Mutant(
        "what was closed on an earlier day is paid once more",
        ANSWERS,
        "(carried or order.product is not Product.MIS)",
        "order.product is not Product.MIS",
    ),
    Mutant(
        "one price off the band is believed",
        "compiled/market_data/tick_filter.py",
        "                return BAND\n",
        "                return ''\n",
    ),
    Mutant(
        "two wrong prices bear each other out",
        "compiled/market_data/tick_filter.py",
        "if same or abs(tick.ltp - held.ltp) <= NEAR * held.ltp:",
        "if True:",
    ),
    Mutant(
        "no freeze quantity, no bound", "compiled/trading/risk.py", "if quantity > ORDER or ", "if "
    ),
    Mutant(
        "a change that nobody has answered does not count",
        VIEW,
        "coming = outstanding_quantity(entry) + largest_quantity(entry) - entry.quantity",
        "coming = outstanding_quantity(entry)",
    ),
    Mutant(
        "a strategy's numbers are believed",
        ENTRIES,
        '        if fault == "":\n',
        "        if True:\n",
    ),
    Mutant(
        "a trade that cannot be is booked",
        ANSWERS,
        "if not 0 < event.quantity <= HELD or not 0.0 < event.price <= PRICE:",
        "if event.quantity == 0:",
    ),
)
