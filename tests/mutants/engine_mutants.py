"""Ways to break the engine and the adapter.

Each takes one promise back (`tests/mutants/hunt.py` hunts them).
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One way to be wrong: what it means, where, and which text becomes which."""

    name: str
    file: str
    old: str
    new: str


BOOKS = "engine/reconcile/poller.py"
LOOKUPS = "engine/orders/request_lookups.py"
GATEWAY = "engine/orders/gateway.py"
DURABLE = "engine/orders/durable_journal.py"
KILL = "engine/orders/killswitch.py"
PRIVATE = "engine/system/private_files.py"
RESTORE = "engine/orders/restore.py"
RESTART = "compiled/trading/restart/kernel_restore.py"
PACING = "engine/day/pacing.py"
BOOKS_SNAPSHOT = "engine/books/books_snapshot.py"
DIFFERENCES = "engine/books/differences.py"
POSITION_DIFFERENCES = "engine/books/position_differences.py"
BACK_OFF = "engine/orders/back_off.py"
RECONCILE = "engine/reconcile/reconciler.py"
BANDS = "engine/day/price_bands.py"
WARMING = "engine/day/warm_up.py"
WATCHED = "engine/day/watched_instruments.py"
HOURS = "engine/market/instrument_hours.py"
FIGURES = "brokers/kite/strict_figures.py"
TIMEKEEPER = "engine/day/timekeeper.py"

ENGINE = (
    Mutant(
        "a strategy starts with the limit reached that has stopped it",
        "engine/manual/strategy_acts.py",
        "        if reason := stop_reason(net, slot.peak, slot.losses, self._kernel.limits):\n",
        "        if reason := '':\n",
    ),
    Mutant(
        "an act on a strategy is not written down",
        "engine/manual/strategy_acts.py",
        "        write_act(self._journal, now, self._day, act)\n",
        "",
    ),
    Mutant(
        "a parameter that holds for the day is changed",
        "engine/manual/strategy_acts.py",
        "            if name in FIXED:\n",
        "            if False:\n",
    ),
    Mutant(
        "a restart forgets a changed parameter",
        "engine/orders/strategy_days.py",
        "            day.changes[name] = ParameterChange(value, act.who, act.reason)\n",
        "            pass\n",
    ),
    Mutant(
        "a start does not end a stop over a restart",
        "engine/orders/strategy_days.py",
        '        day.stopped = act.stop_text if act.act == STOP else ""\n',
        "        day.stopped = act.stop_text if act.act == STOP else day.stopped\n",
    ),
    Mutant(
        "a row that cannot be written ends the writer",
        "store/sqlite_journal.py",
        "except _BAD_ROW as error:",
        "except sqlite3.IntegrityError as error:",
    ),
    Mutant(
        "a clock that is wrong is told and not set", TIMEKEEPER, "self._clock.amend(ahead)", "pass"
    ),
    Mutant(
        "a clock is set the wrong way",
        TIMEKEEPER,
        "self._clock.amend(ahead)",
        "self._clock.amend(-ahead)",
    ),
    Mutant(
        "one date that lies sets the clock",
        TIMEKEEPER,
        "median_low(each.low for each in answers)",
        "max(each.low for each in answers)",
    ),
    Mutant(
        "dates are believed before the exchange's stamps",
        TIMEKEEPER,
        "if stamps > high + SLACK:",
        "if False:",
    ),
    Mutant("a clock is set by any amount", TIMEKEEPER, "if abs(ahead) > FARTHEST:", "if False:"),
    Mutant(
        "what has left is forgotten when the clock is set on",
        "engine/day/day_loop.py",
        "self.gateway.governor.shift_clock(by)",
        "pass",
    ),
    Mutant(
        "a database that is lost is opened as new",
        "store/database_integrity.py",
        "if gone := evidence_of_loss(path):",
        "if False and (gone := ''):",
    ),
    Mutant(
        "a database cut short is opened",
        "store/database_integrity.py",
        "if len(head) < HEAD or (_file_size(path) < wanted and",
        "if len(head) < HEAD or (False and",
    ),
    Mutant(
        "another program's database is written into",
        "store/schema.py",
        "    if row is None:",
        "    if row is None and False:",
    ),
    Mutant(
        "a dead writer ends the engine",
        "store/sqlite_journal.py",
        "self._dead = True",
        "self._closing = True",
    ),
    Mutant(
        "half a character of the broker's is taken as it comes",
        "brokers/kite/thread_client.py",
        "json.loads(valid_text(json.dumps(slowly(), ensure_ascii=False)))",
        "slowly()",
    ),
    Mutant(
        "an unknown order is not looked up",
        BOOKS,
        "self.gateway.lookups.resolve(orders, triggers, began)",
        "pass",
    ),
    Mutant(
        "books that cannot be read count as empty",
        BOOKS,
        "            self.gateway.lookups.pause_reads(str(error))\n            return False",
        "            orders, trades, triggers = [], [], []",
    ),
    Mutant(
        "a GTT left out of one look is not read in the next",
        BOOKS,
        "gtts or self._left_out or",
        "gtts or",
    ),
    Mutant(
        "a twin of a GTT is left alone", BOOKS, "if gtt.gtt_id or gtt.status in", "if gtt.status in"
    ),
    Mutant(
        "a GTT list older than its change is believed",
        BOOKS,
        "if self.gateway.touched.get(gtt.intent, -1) <= began:",
        "if True:",
    ),
    Mutant("a GTT is given up at the first miss", BOOKS, "if self._gone[gtt_id] >= 2:", "if True:"),
    Mutant(
        "orders forgotten on a full disk come late",
        BOOKS,
        "        self._post_orders(update for update in orders if self._is_forgotten(update))\n",
        "",
    ),
    Mutant(
        "the ids of answers are not held against the books",
        BOOKS,
        "self.gateway.verify_ids(orders, triggers)",
        "pass",
    ),
    Mutant(
        "a GTT from before our request counts as its twin",
        BOOKS,
        " and gtt.created <= update.ts + SKEW",
        "",
    ),
    Mutant(
        "a GTT whose request is under way is taken for a twin",
        BOOKS,
        "if any(gtt.status in UNDER_WAY or self.gateway.touched.get(gtt.intent, -1) > began for "
        "gtt in made):",
        "if False:",
    ),
    Mutant(
        "an unknown order is given up at the first miss",
        LOOKUPS,
        "item.misses < self.settings.lookups or now - item.since < self.settings.settle_s * SECOND",
        "item.misses < 1",
    ),
    Mutant(
        "a refusal is believed at once",
        LOOKUPS,
        "if began > refusal.moves else None",
        "if False else ''",
    ),
    Mutant(
        "an entry is given up while it may still arrive",
        LOOKUPS,
        "order.purpose is OrderPurpose.ENTRY and now < until",
        "False",
    ),
    Mutant(
        "two unknown GTTs find the same one", LOOKUPS, " and str(update.gtt_id) not in taken", ""
    ),
    Mutant(
        "an id that no book has shown is believed",
        LOOKUPS,
        "            if proof is None and now < due:\n",
        "            if proof is None:\n",
    ),
    Mutant(
        "what was given up is not watched for",
        LOOKUPS,
        "        self._given_up[intent] = until\n",
        "",
    ),
    Mutant(
        "a request without an answer is not looked for",
        LOOKUPS,
        "dues += [*self._unanswered.values(), *self._unproven.values()]",
        "dues += [*self._unproven.values()]",
    ),
    Mutant(
        "a GTT of somebody else is a twin",
        LOOKUPS,
        "same_shares(update, gtt) and has_same_legs(update.legs, gtt.made)",
        "True",
    ),
    Mutant(
        "a GTT of another product stands for ours",
        LOOKUPS,
        " and update.product == gtt.product.name",
        "",
    ),
    Mutant(
        "an unknown order is sent again",
        GATEWAY,
        "            self._post_unknown(intent, str(error))",
        "            self._post_answer(intent, RequestVerb.PLACE, RequestOutcome.BUSY, "
        'reason=f"busy: {error}")',
    ),
    Mutant(
        "a request leaves before it is on disk",
        GATEWAY,
        "await self.durable_journal.commit_for(order.purpose)\n        if",
        "if",
    ),
    Mutant(
        "the latch is not looked at before sending",
        GATEWAY,
        "return self.kill.latched and order.purpose is OrderPurpose.ENTRY",
        "return False",
    ),
    Mutant(
        "an order is changed under an id that no book has shown",
        GATEWAY,
        "return changed > 0 and self.lookups.awaits_proof(changed)",
        "return False",
    ),
    Mutant(
        "an outcome that nobody told counts as done",
        GATEWAY,
        "return RequestOutcome.UNKNOWN, str(error)",
        "return RequestOutcome.ACCEPTED, str(error)",
    ),
    Mutant(
        "an unknown change counts as done",
        GATEWAY,
        "            self._post_turned_away(intent, verb, broker_id, error, purpose)",
        "            self._post_answer(intent, verb, RequestOutcome.ACCEPTED, broker_id)",
    ),
    Mutant(
        "exits wait for the disk",
        DURABLE,
        "self._entry_wait_s if entry else None",
        "self._entry_wait_s if entry else ENDLESS",
    ),
    Mutant(
        "exits do not leave on a full disk",
        DURABLE,
        "            if entry:\n                raise",
        "            if purpose is not OrderPurpose.PROTECT:\n                raise",
    ),
    Mutant(
        "an entry leaves ahead of its record",
        DURABLE,
        "            if entry:\n                raise\n",
        "",
    ),
    Mutant(
        "exits wait for a disk that hangs",
        DURABLE,
        "(self._entry_wait_s if entry else None)",
        "self._entry_wait_s",
    ),
    Mutant(
        "a disk that has refused is not asked again",
        DURABLE,
        "if self.bounded and not self._trying:",
        "if False:",
    ),
    Mutant(
        "unwanted entries leave", GATEWAY, "        if order.unwanted:\n", "        if False:\n"
    ),
    Mutant(
        "a change that is turned away is asked for again at once",
        GATEWAY,
        "return (self.back_off.count_refusal(kind, now, most) if busy or verb is not "
        "RequestVerb.PLACE else 0)",
        "return 0",
    ),
    Mutant(
        "an entry leaves at a price of the past",
        GATEWAY,
        "late = is_entry(command) and now",
        "late = False and now",
    ),
    Mutant(
        "an exit waits behind entries that hang",
        GATEWAY,
        "return 0 < self._lanes - 1 <= self._entering",
        "return False",
    ),
    Mutant(
        "an entry is changed after the latch",
        GATEWAY,
        "        if self._is_barred(order):\n            self._post_answer(order.intent, "
        "RequestVerb.MODIFY",
        "        if False:\n            self._post_answer(order.intent, RequestVerb.MODIFY",
    ),
    Mutant(
        "a sale without its authorisation is asked for again at once",
        GATEWAY,
        "            return AGAIN\n",
        "            return 0\n",
    ),
    Mutant(
        "the latch is forgotten in a restart",
        KILL,
        "for latch in sorted(logged + missing,",
        "for latch in sorted((),",
    ),
    Mutant(
        "what only the database holds is released without a word",
        KILL,
        "for latch in stored if latch.key not in released",
        "for latch in ()",
    ),
    Mutant(
        "a release is an absence",
        KILL,
        'self._append_log({"act": "resume", "reason": reason, "who": who, "ts": self.now()})',
        "pass",
    ),
    Mutant(
        "a flatten is lost in the release of a halt",
        KILL,
        "self._standing = self._standing[len(releasing) :]",
        "self._standing = []",
    ),
    Mutant(
        "a latch is kept before it is on disk",
        PRIVATE,
        "            os.fsync(descriptor)\n        except",
        "            pass\n        except",
    ),
    Mutant(
        "the word of anybody's KILL is believed",
        PRIVATE,
        "if not stat.S_ISREG(facts.st_mode):",
        "if False:",
    ),
    Mutant(
        "a signal goes to whoever has the number",
        "engine/system/processes.py",
        "return _is_own_process(self.pid) and process_start(self.pid) == self.start",
        "return _is_own_process(self.pid)",
    ),
    Mutant(
        "the latch waits for the disk",
        KILL,
        "        self._event.set()  # before",
        "        pass  # before",
    ),
    Mutant(
        "a halt never becomes a flatten",
        KILL,
        "(self._latch.level != FLATTEN and level == FLATTEN)",
        "False",
    ),
    Mutant(
        "a restart forgets which trades it has booked",
        RESTART,
        "        self.order_reports.applied.add(",
        "        len(",
    ),
    Mutant(
        "a restart takes an unanswered order for dead",
        RESTART,
        "            order.status = OrderStatus.UNKNOWN",
        "            order.status = OrderStatus.REJECTED",
    ),
    Mutant(
        "a twin is nobody's after a restart",
        RESTART,
        "            self.state.strays[order.intent] = order\n",
        "            pass\n",
    ),
    Mutant(
        "of two GTTs a restart keeps both",
        RESTART,
        "            self.state.stray_gtts[gone.intent] = gone\n",
        "            pass\n",
    ),
    Mutant(
        "a restart forgets the GTT's order", RESTORE, '    gtt.order_id = request["order_id"]\n', ""
    ),
    Mutant(
        "a restart forgets who was leaving",
        RESTART,
        "(ladder.leaving or (bool(rung.exit_reason) and ours))",
        "False",
    ),
    Mutant(
        "a restart believes an id that nothing has proven",
        RESTORE,
        'not fields.get("unproven", False)',
        "True",
    ),
    Mutant(
        "a restart sends an exit again that may still arrive",
        RESTART,
        "            rung.doubt_until = order.created + self.order_store.exits.doubt * SECOND",
        "            pass",
    ),
    Mutant(
        "a time-out counts as a refusal",
        "brokers/kite/call_outcome.py",
        "    return OrderUnknown(str(failed))",
        '    return OrderRefused("X", str(failed))',
    ),
    Mutant(
        "hints put off the reading of GTTs",
        PACING,
        "        if polled:\n            self.next_poll = self._following(now)",
        "        self.next_poll = self._following(now)",
    ),
    Mutant(
        "hints are taken for the whole truth",
        PACING,
        "self._loop.has_hint or now >= self.next_poll or (unknown",
        "self._loop.has_hint or (unknown",
    ),
    Mutant(
        "a comparison takes what is still looked for for a difference",
        PACING,
        " and not self._loop.gateway.lookups.is_seeking",
        "",
    ),
    Mutant(
        "shares whose GTT has just fired are compared as late as ever",
        RECONCILE,
        " or fired_tokens(self.kernel, self.books) else 0",
        " else 0",
    ),
    Mutant(
        "a GTT that has fired counts as missing shares",
        POSITION_DIFFERENCES,
        " or token in fired",
        "",
    ),
    Mutant(
        "financed shares are no delivery",
        BOOKS_SNAPSHOT,
        "frozenset({Product.CNC.name, Product.MTF.name})",
        "frozenset({Product.CNC.name})",
    ),
    Mutant(
        "the loan that a sale pays back is a difference",
        DIFFERENCES,
        "if (order.product is Product.MTF and",
        "if (False and",
    ),
    Mutant(
        "nothing leaves in the night",
        "engine/desk.py",
        "                        _cancel_tasks(session)\n",
        "                        _cancel_tasks(daily_tokens)\n",
    ),
    Mutant(
        "a busy broker is given no rest",
        "engine/orders/governor.py",
        "            self._paused[other] = until",
        "            pass",
    ),
    Mutant(
        "a refused placement ends the rest of its kind never",
        BACK_OFF,
        "        self._times.pop(kind, None)\n",
        "",
    ),
    Mutant(
        "refusals are not asked again less often",
        BACK_OFF,
        "wait = min(FIRST << min(self._times[kind] - 1, 10), most)",
        "wait = FIRST",
    ),
    Mutant(
        "exits rest as long as the others",
        BACK_OFF,
        "return HURRY if purpose is OrderPurpose.EXIT else BUSY",
        "return BUSY",
    ),
    Mutant(
        "what waits for the opening waits beyond it",
        BACK_OFF,
        "min(SHUT, max(FIRST, int(hours.opens) - now))",
        "SHUT",
    ),
    Mutant(
        "between two looks at unreadable books the desk enters",
        RECONCILE,
        "AGAIN if self.unreadable and fresh else",
        "AGAIN if False else",
    ),
    Mutant(
        "books that cannot be read hold nothing back",
        RECONCILE,
        "if at_once or self.missed_reads > 1:",
        "if at_once:",
    ),
    Mutant(
        "bands that could not be read are not asked for soon",
        BANDS,
        "            self._next = now + SOON\n",
        "",
    ),
    Mutant(
        "the bands of the closing auction are not asked for",
        BANDS,
        "if self._openings and now >= self._openings[0] + SECOND:",
        "if False:",
    ),
    Mutant(
        "bands that the price is near are not asked for",
        BANDS,
        "each.ladders or _is_near_edge(each)",
        "each.ladders",
    ),
    Mutant(
        "a price off its band brings no look at it",
        BANDS,
        "if now >= self._asked + SOON:",
        "if False:",
    ),
    Mutant(
        "what closed during the warm-up is lost",
        WARMING,
        "bars + [bar for bar in live if (bar.start, bar.span) not in known]",
        "bars + []",
    ),
    Mutant(
        "history that is turned away once is given up",
        WARMING,
        "TRIES: Final = 3",
        "TRIES: Final = 1",
    ),
    Mutant(
        "what is held is taken off the watch",
        WATCHED,
        "if state.markets[token].ladders:",
        "if False:",
    ),
    Mutant(
        "a contract under watch has no charges of its product",
        "engine/day/opening.py",
        'for product in (PRODUCTS if i.kind == "EQ" else CONTRACT_PRODUCTS)',
        "for product in PRODUCTS",
    ),
    Mutant(
        "a price alert fires at every price",
        "engine/day/price_alerts.py",
        "fired = structs.replace(alert, fired=self._clock.now(), at=market.ltp)",
        "fired = structs.replace(alert, at=market.ltp)",
    ),
    Mutant(
        "entries go on in unconfirmed hours",
        HOURS,
        "made.last_entry = max(session.open, session.close - max(early, WITHDRAWN))",
        "made.last_entry = session.close",
    ),
    Mutant(
        "expiring contracts are held through unconfirmed hours",
        HOURS,
        "made.clears = self.hours_class(day, instrument).expiring",
        "made.clears = False",
    ),
    Mutant(
        "a failure is written down again and again",
        "engine/board/strategy_failures.py",
        " and slot.name not in self._told",
        "",
    ),
    Mutant(
        "a count may be negative",
        FIGURES,
        '    if number < 0:\n        raise ValueError(f"a negative count',
        '    if False:\n        raise ValueError(f"a negative count',
    ),
    Mutant(
        "a price may be beyond all prices",
        FIGURES,
        "if not 0.0 <= number <= PRICE:",
        "if number < 0.0:",
    ),
    Mutant(
        "a limit in the database is believed whatever it is",
        "engine/manual/day_limits.py",
        "change = change._replace(value=checked_value(change.name, change.value))\n        except",
        "pass\n        except",
    ),
    Mutant(
        "a fill in the database is believed whatever it is",
        "engine/books/journal_rows.py",
        'allowed = FILL.get(column) if table == "fills" else None',
        "allowed = None",
    ),
    Mutant(
        "what is elsewhere is this machine",
        "engine/config/addresses.py",
        "return self.host in LOOPBACK",
        "return self.host.startswith(tuple(LOOPBACK))",
    ),
    Mutant(
        "a quantity that the broker has changed is not heard",
        "engine/reconcile/poller.py",
        "state = (update.status, update.quantity, update.filled,",
        "state = (update.status, update.filled,",
    ),
    Mutant(
        "the owner's shares count as the desk's",
        POSITION_DIFFERENCES,
        "min(more + min(each.apart, 0), each.apart)",
        "min(more + each.apart, each.apart)",
    ),
    Mutant(
        "what the owner buys is what was missing",
        POSITION_DIFFERENCES,
        "min(more + min(each.apart, 0), each.apart)",
        "more + min(each.apart, 0)",
    ),
    Mutant(
        "missing intraday shares may be ignored",
        POSITION_DIFFERENCES,
        "(DifferenceChoice.ADOPT,) if _reduces_ours(figure + owners, long, short) else "
        "ADOPT_OR_IGNORE",
        "ADOPT_OR_IGNORE",
    ),
    Mutant(
        "what somebody else trades is compared in its turn",
        PACING,
        "if self._schedule.others_traded():\n            loop.compare_soon = True",
        "self._schedule.others_traded()",
    ),
    Mutant(
        "what somebody else trades is not counted",
        BOOKS,
        "if self._concerns_held(update))",
        "if False)",
    ),
    Mutant(
        "books that are apart are a difference",
        POSITION_DIFFERENCES,
        "theirs[token, product] - late.get((token, product), 0)",
        "theirs[token, product]",
    ),
    Mutant(
        "what others have taken is known after what is done about it",
        BOOKS,
        "self._post_taken(strange, triggers or [])",
        "pass",
    ),
    Mutant(
        "what a stop of ours has sold others have taken",
        BOOKS,
        "update.order_id not in sent and",
        "",
    ),
    Mutant(
        "books that cannot be read say that all is there",
        "engine/day/day_loop.py",
        "known = (not self.reconciler.missed_reads and",
        "known = (",
    ),
    Mutant(
        "what others have bought is the desk's",
        POSITION_DIFFERENCES,
        "more -= int(side) * bought.get((each.token, each.product, side), 0)",
        "pass",
    ),
    Mutant(
        "what was decided is undecided for ever", RECONCILE, "self._agreed[at] = shares\n", "pass\n"
    ),
    Mutant(
        "a decision is carried out on another figure",
        "engine/reconcile/reconcile_actions.py",
        "seen.apart != difference.apart or not self.reconciler.is_same_figure(difference, "
        "seen.figure)",
        "False",
    ),
    Mutant(
        "what a stop has sold is awaited of a split",
        "engine/books/share_divisions.py",
        "carried_shares(market, since, there=True)",
        "carried_shares(market, since)",
    ),
    Mutant(
        "what is the owner's stays behind with an old name",
        "engine/books/share_register.py",
        'if symbol != ladder["symbol"]:',
        "if False:",
    ),
    Mutant(
        "a broker that does not answer agrees with the books",
        RECONCILE,
        "self.unreadable or self.unreached:",
        "self.unreadable:",
    ),
    Mutant(
        "a latch waits for a thread while the interpreter ends",
        KILL,
        "if sys.is_finalizing():",
        "if False:",
    ),
    Mutant(
        "a share held at the other exchange has no ISIN",
        "engine/books/share_register.py",
        "if exchange == TWIN else 0",
        "if False else 0",
    ),
    Mutant("shares behind an undecided trade are there", RECONCILE, ", *self._covered]", "]"),
    Mutant(
        "a dead token leaves the books believed",
        "engine/day/broker_reach.py",
        "isinstance(loop.poller.error, OperatorError)",
        "False",
    ),
    Mutant(
        "what the order book shows is looked at twice",
        RECONCILE,
        "if at_once or each.witnessed or",
        "if at_once or",
    ),
    Mutant(
        "what a stop of ours may have sent is taken for a stranger's at once",
        POSITION_DIFFERENCES,
        "for each in recent if not _may_be_stop(kernel, each)",
        "for each in recent",
    ),
    Mutant(
        "a GTT of the owner's is ignored until he changes it",
        RECONCILE,
        "difference.kind is DifferenceKind.GTT:",
        "False:",
    ),
    Mutant(
        "the same decision twice takes what is ignored",
        "engine/reconcile/reconcile_actions.py",
        "if not difference.figure and self.kernel.order_store.now <",
        "if False and self.kernel.order_store.now <",
    ),
    Mutant(
        "a GTT that is changed before it is listed is somebody else's",
        LOOKUPS,
        " or self._is_foreign_change(update, gtt, listed)",
        "",
    ),
    Mutant(
        "what was seen once counts as compared",
        "engine/day/day_loop.py",
        "kernel.state.is_blind and not self.reconciler.fresh",
        "kernel.state.is_blind",
    ),
    Mutant(
        "what may have been split is sold",
        "engine/reconcile/reconciler.py",
        "found[token, Product[product], Side.BUY] = shares",
        "pass",
    ),
    Mutant(
        "a whole ratio is believed whatever the price says",
        "engine/books/share_divisions.py",
        "if ratio == 1 or not has_jumped(market, rungs) or not explains_close(ratio, market, "
        "rungs):",
        "if ratio == 1:",
    ),
    Mutant(
        "the trades before the first look are counted twice",
        "engine/desk.py",
        "ledger.deposit(cash - moved_cash(loop.early) - int(ledger.start_cash))",
        "ledger.deposit(cash - int(ledger.start_cash))",
    ),
    Mutant(
        "a stop that fired is forgotten in a restart",
        RESTART,
        "self.ladder_book.hold_back(rung, max(rung.quantity, 0))",
        "rung.absent = 0",
    ),
    Mutant(
        "what moves while the books are read counts as there",
        "engine/day/day_loop.py",
        "(token, product.name) not in self.reconciler.unsure",
        "True",
    ),
    Mutant(
        "an order of an earlier day is waited for",
        "engine/reconcile/poller.py",
        "update.ts < today and listed.isdisjoint(update.order_ids)",
        "False",
    ),
    Mutant(
        "a GTT whose last move the disk has lost is somebody else's",
        "engine/orders/request_lookups.py",
        "return (intent in self._restored and self._is_our_change(update, gtt)) or",
        "return",
    ),
    Mutant(
        "a sandbox that is elsewhere is not real",
        "tui/run/session.py",
        "bool(broker.rest) and not addresses.are_local(broker.rest, broker.ws)",
        "False",
    ),
    Mutant(
        "a day that is only watched takes orders",
        "engine/desk.py",
        "loop.refusal = settings.refusal",
        'loop.refusal = ""',
    ),
    Mutant(
        "a practised day goes back with its orders",
        "tui/run/replay/replay_deck.py",
        "if self._practice:",
        "if False:",
    ),
)
