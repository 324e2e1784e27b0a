"""Ways to break what a person does to a position (`tests/mutants/hunt.py` hunts them)."""

from tests.mutants.engine_mutants import Mutant

PARTS = "compiled/trading/exits/part_exits.py"
ACTS = "compiled/trading/position_acts.py"
PROTECTION = "compiled/trading/protection.py"
GUARD = "compiled/trading/stop_orders.py"
LADDER = "compiled/trading/ladder.py"
BOOK = "compiled/trading/ladder_book.py"
ANSWERS = "compiled/trading/reports/order_reports.py"
TRIGGERS = "compiled/trading/reports/gtt_reports.py"
ENTRIES = "compiled/trading/order_entry.py"
GATE = "compiled/trading/risk_gate.py"
VIEW = "compiled/trading/desk_view.py"
RESTART = "compiled/trading/restart/kernel_restore.py"
DESK = "engine/manual/position_desk.py"
EVEN = "engine/manual/break_even.py"
RECORDS = "engine/orders/records.py"

POSITIONS = (
    Mutant(
        "a part is sold beside a stop for all of it",
        PARTS,
        "elif not _stop_offers_part(rung):",
        "else:",
    ),
    Mutant(
        "a part is sold while nobody knows what its fired stop sells",
        PARTS,
        "        if gtt.status is GttStatus.TRIGGERED and not gtt.order_id:\n"
        "            return True\n",
        "",
    ),
    Mutant(
        "the stop keeps its size when a part leaves",
        LADDER,
        "return max(self.present - self.part, 0)",
        "return self.present",
    ),
    Mutant(
        "a part that has left still counts as leaving",
        BOOK,
        "            if order.reduces:\n                rung.part = max(rung.part - quantity, 0)\n",
        "",
    ),
    Mutant(
        "an exit of everything does not wait for the exit of a part",
        PROTECTION,
        "if rung.part_exit is not None or out.now < rung.retry_at:",
        "if out.now < rung.retry_at:",
    ),
    Mutant(
        "a part that was given up may still leave",
        ANSWERS,
        "if order.purpose is OrderPurpose.ENTRY or order.reduces:",
        "if order.purpose is OrderPurpose.ENTRY:",
    ),
    Mutant(
        "a refused part holds the next exit back",
        ANSWERS,
        "order.purpose is not OrderPurpose.ENTRY and not order.reduces:",
        "order.purpose is not OrderPurpose.ENTRY:",
    ),
    Mutant(
        "a part may be more than is held",
        ACTS,
        "if not 0 < quantity <= rung.present:",
        "if not 0 < quantity:",
    ),
    Mutant(
        "two parts leave at once",
        ACTS,
        'if rung.part > 0 or rung.part_exit is not None:\n            return "a part of it is '
        'leaving already"',
        'if False:\n            return "a part of it is leaving already"',
    ),
    Mutant(
        "a stop may stand beyond the price",
        ACTS,
        "if away <= 0.0:",
        "if False:",
    ),
    Mutant(
        "a stop may stand off the grid",
        ACTS,
        "if not 0.0 < price <= PRICE or not instrument.on_grid(price):",
        "if not 0.0 < price <= PRICE:",
    ),
    Mutant(
        "a stop may stand nearer than the broker takes it",
        ACTS,
        "if distance.is_too_near(away, last):",
        "if False:",
    ),
    Mutant(
        "a stop order may stand outside the band",
        ACTS,
        "elif not is_inside_band(instrument, price):",
        "elif False:",
    ),
    Mutant(
        "a stop that was put by hand is forgotten while another change is under way",
        LADDER,
        "    if rung.hand_stop > 0.0:\n        return rung.hand_stop\n",
        "",
    ),
    Mutant(
        "a stop that was put by hand goes back to its old distance",
        ACTS,
        "            hang_stop(ladder, rung, event.stop)\n",
        "",
    ),
    Mutant(
        "what was put by hand in one ladder changes every ladder of its plan",
        LADDER,
        "rung.plan = RungPlan(plan.trigger_percent, percent, plan.target_percent, plan.quantity)",
        "rung.plan.stop_percent = percent",
    ),
    Mutant(
        "a refused move is asked for again and again",
        TRIGGERS,
        "        if (by_hand or rung.part > 0) and not is_transient(event.outcome):",
        "        if False:",
    ),
    Mutant(
        "an added rung passes the gate",
        ENTRIES,
        "        event.verdict = self._enter_rung(market, ladder, rung, decision)\n",
        "        rung.entry = self.order_store.place_order(\n"
        "            ladder.strategy,\n"
        "            market.token,\n"
        "            side=ladder.side,\n"
        "            quantity=event.quantity,\n"
        "            order_type=AT_MARKET.order_type,\n"
        "            product=ladder.plan.product,\n"
        "            purpose=OrderPurpose.ENTRY,\n"
        "            rung=rung.rung_id,\n"
        "        )\n",
    ),
    Mutant(
        "an added rung has the number of another",
        RESTART,
        "rung_id = i64(known.get(int(number), int(kept.ladder_id + number)))",
        "rung_id = kept.ladder_id + number",
    ),
    Mutant(
        "the exit of a part is the exit of all after a restart",
        RECORDS,
        '        "reduces": order.reduces,\n',
        "",
    ),
    Mutant(
        "the account's GTTs have no bound",
        GATE,
        "and view.gtts_needed() >= most",
        "and False",
    ),
    Mutant(
        "the GTTs of others do not count",
        VIEW,
        "count = self.order_store.foreign_gtts",
        "count: i64 = 0",
    ),
    Mutant(
        "the oldest rung leaves first",
        DESK,
        "for each in reversed(free):",
        "for each in free:",
    ),
    Mutant(
        "delivery is reversed",
        DESK,
        "if product not in {Product.MIS, Product.NRML}:",
        "if False:",
    ),
    Mutant(
        "a position is reversed that may not be entered",
        DESK,
        "if verdict is not RefusalReason.OK and verdict not in FREED:",
        "if False:",
    ),
    Mutant(
        "the other side is entered before it is flat",
        DESK,
        "if not self._kernel.state.markets[each.token].ladders:",
        "if True:",
    ),
    Mutant(
        "the break-even forgets the charges of leaving",
        EVEN,
        "charges = int(rung.charges) + exit_charges(kernel, ladder, rung, price)",
        "charges = int(rung.charges)",
    ),
    Mutant(
        "a rest that its sold part has paid for ends the desk",
        EVEN,
        "        if price <= 0.0:\n            return 0.0\n",
        "",
    ),
    Mutant(
        "a position is reversed twice",
        DESK,
        "if any(each.token == token and not each.withdrawn for each in self._reversals):",
        "if False:",
    ),
    Mutant(
        "a position that was left by hand is entered the other way",
        DESK,
        "            if each.token == token:\n                each.withdrawn",
        "            if False:\n                each.withdrawn",
    ),
    Mutant(
        "a halt that was lifted again lets the other side enter",
        DESK,
        "if self._kernel.state.halted:",
        "if False:",
    ),
)
