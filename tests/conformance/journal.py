"""What every journal does.

A class of tests that each journal's own file derives from, with a fixture `journal`.
"""

import asyncio
import threading

FILL = {
    "trade_id": "T1",
    "order_id": "O1",
    "intent": 7,
    "side": "BUY",
    "quantity": 10,
    "price": 101.05,
    "ts": 5,
}


class JournalSuite:
    """The port's promises: what was committed is read back, in order, whoever appended it."""

    async def test_a_committed_row_is_read_back_with_its_types(self, journal):
        journal.append("fills", FILL | {"realised": -12_345_678_901, "strategy": "momentum"})
        await journal.commit()
        (row,) = journal.load("fills")
        assert row["price"] == 101.05
        assert isinstance(row["price"], float)
        assert row["realised"] == -12_345_678_901
        assert row["strategy"] == "momentum"
        assert row["charges"] is None

    async def test_a_row_with_the_same_key_replaces_only_the_columns_it_gives(self, journal):
        journal.append("intents", {"intent": 1, "tag": "a", "status": "INTENT", "quantity": 5})
        journal.append("intents", {"intent": 1, "status": "SENT"})
        await journal.commit()
        (row,) = journal.load("intents")
        assert (row["tag"], row["status"], row["quantity"]) == ("a", "SENT", 5)

    async def test_a_row_that_is_only_a_key_is_kept_and_changes_nothing_the_second_time(
        self, journal
    ):
        journal.append("meta", {"key": "day", "value": "2024-06-04"})
        journal.append("meta", {"key": "day"})
        await journal.commit()
        assert journal.load("meta", "key = ?", ["day"]) == [{"key": "day", "value": "2024-06-04"}]

    async def test_rows_without_a_sequence_number_are_numbered_in_the_order_of_their_append(
        self, journal
    ):
        for text in ("first", "second", "third"):
            journal.append("events", {"ts": 1, "level": "info", "name": "test", "text": text})
        await journal.commit()
        rows = journal.load("events")
        assert [(row["seq"], row["text"]) for row in rows] == [
            (1, "first"),
            (2, "second"),
            (3, "third"),
        ]

    async def test_load_returns_rows_in_key_order_and_honours_its_condition(self, journal):
        for intent in (3, 1, 2):
            journal.append(
                "intents",
                {"intent": intent, "tag": f"t{intent}", "status": "OPEN" if intent > 1 else "LOST"},
            )
        await journal.commit()
        assert [row["intent"] for row in journal.load("intents")] == [1, 2, 3]
        assert [row["intent"] for row in journal.load("intents", "status = ?", ["OPEN"])] == [2, 3]

    async def test_rows_nobody_waits_for_are_written_all_the_same(self, journal):
        journal.append("fills", FILL)
        for _ in range(200):
            await asyncio.sleep(0.01)
            if journal.load("fills"):
                break
        assert journal.load("fills")[0]["trade_id"] == "T1"

    async def test_a_commit_covers_the_rows_of_every_thread(self, journal):
        def write(first):
            for seq in range(first, first + 500):
                journal.append("audit", {"seq": seq, "ts": seq, "who": "test"})

        threads = [threading.Thread(target=write, args=(start,)) for start in (1, 501, 1001)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        await journal.commit()
        assert [row["seq"] for row in journal.load("audit")] == list(range(1, 1501))

    async def test_many_commits_at_once_all_resolve(self, journal):
        waiting = []
        for seq in range(1, 101):
            journal.append("audit", {"seq": seq})
            waiting.append(journal.commit())
        await asyncio.gather(*waiting)
        assert len(journal.load("audit")) == 100

    async def test_a_commit_with_nothing_appended_resolves(self, journal):
        await asyncio.wait_for(journal.commit(), 5)

    async def test_an_abandoned_commit_disturbs_nobody(self, journal):
        journal.append("fills", FILL)
        gone = asyncio.ensure_future(journal.commit())
        gone.cancel()
        await journal.commit()
        assert len(journal.load("fills")) == 1
