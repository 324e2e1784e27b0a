"""What every feed does.

A class of tests that an adapter's own class derives from, with a fixture `subject`
(`tests.conformance.market.AdapterSubject`) whose feed runs and has the share subscribed.
"""


class FeedSuite:
    """The port's promises: it connects, it delivers ticks, and it counts what came."""

    async def test_it_tells_that_it_is_connected(self, subject):
        assert subject.sink.links == [True]

    async def test_ticks_are_on_the_grid_and_not_of_the_future(self, subject):
        share = subject.share
        heard = [
            (tick, received)
            for ticks, received, _ in subject.sink.messages
            for tick in ticks
            if tick.token == share.token
        ]
        assert heard
        for tick, received in heard:
            assert abs(share.snap(tick.ltp) - tick.ltp) < 1e-9
            assert 0 <= tick.ts <= received + 1_000_000_000
            assert tick.volume >= -1

    async def test_what_reads_whole_comes_without_its_message(self, subject):
        assert {unread for _, _, unread in subject.sink.messages} == {b""}

    async def test_only_what_is_subscribed_comes(self, subject):
        tokens = {int(tick.token) for ticks, *_ in subject.sink.messages for tick in ticks}
        assert tokens == {int(subject.share.token)}

    async def test_every_message_is_counted(self, subject):
        before = subject.feed.frames_received
        await subject.pass_time(10)
        assert subject.feed.frames_received > before
        assert subject.feed.frames_received >= len(subject.sink.messages)

    async def test_subscribing_again_changes_the_mode_and_loses_nothing(self, subject):
        await subject.feed.subscribe([int(subject.share.token)], "ltp")
        seen = len(subject.sink.messages)
        await subject.pass_time(20)
        late = [tick for ticks, *_ in subject.sink.messages[seen:] for tick in ticks]
        assert late
        assert late[-1].volume == -1
        assert late[-1].depth == b""

    async def test_what_is_let_go_comes_no_longer_and_can_be_had_again(self, subject):
        token = int(subject.share.token)
        await subject.feed.unsubscribe([token])
        await subject.pass_time(5)
        seen = len(subject.sink.messages)
        await subject.pass_time(20)
        late = [tick for ticks, *_ in subject.sink.messages[seen:] for tick in ticks]
        assert token not in {int(tick.token) for tick in late}
        await subject.feed.subscribe([token])
        await subject.pass_time(20)
        late = [tick for ticks, *_ in subject.sink.messages[seen:] for tick in ticks]
        assert token in {int(tick.token) for tick in late}
