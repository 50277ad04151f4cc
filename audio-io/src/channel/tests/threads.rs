//! Channels on their own threads and the machine's clock: what a test can see of them without
//! looking at the time.

use super::*;
use crate::capture::RealtimeOptions;
use crate::clock::SystemClock;

const PATIENCE: Duration = Duration::from_secs(30);

fn next(stream: &ChannelStream) -> ChannelEvent {
    let notice = stream.notices.recv_timeout(PATIENCE).expect("a notice");
    notice.event
}

#[test]
fn channels_live_side_by_side_and_end_when_they_are_shut_down() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let channels: Vec<_> = (0..3)
        .map(|_| {
            let clock = Arc::clone(&clock);
            FakeChannel::new(clock, FORMAT, (PERIOD, BUFFER), Signal::Count, [])
        })
        .collect();
    let sources = channels
        .iter()
        .zip(0..)
        .map(|(channel, line)| ChannelSource {
            label: format!("fake {line}"),
            line,
            opener: channel.opener(),
            format: FORMAT,
            // The last one is a tap.
            tapped: (line < 2).then_some(Millis(500)),
        })
        .collect();
    let (events, told) = sync_channel(64);
    let options = RealtimeOptions {
        priority: None,
        lock_memory: false,
        ring_ms: 60_000,
    };
    let (thread, streams) =
        ChannelThread::spawn("span", sources, &events, options, clock).expect("threads");
    let wakeups = thread.wakeup_counter().expect("it runs");
    assert!(thread.grant().is_some());
    assert!(streams[0].player.is_some() && streams[2].player.is_none());
    for stream in &streams {
        assert_eq!(next(stream), OPENED);
    }
    channels[1].tell(ChannelEvent::Ring);
    assert_eq!(next(&streams[1]), ChannelEvent::Ring);
    channels[2].refuse(Some(libc::EROFS));
    let control = streams[2].control.clone();
    control.order(ChannelOrder::OffHook).expect("taken");
    let refused = ChannelEvent::Refused {
        order: RefusedOrder::OffHook,
        errno: libc::EROFS,
    };
    assert_eq!(next(&streams[2]), refused);
    channels[0].unplug(libc::ENODEV, 2);
    let errno = libc::ENODEV;
    assert_eq!(next(&streams[0]), ChannelEvent::Gone { errno });
    assert_eq!(next(&streams[0]), OPENED);
    let lost = streams[0].capture.stats.open_error();
    assert!(lost.is_some_and(|error| error.errno() == libc::ENODEV));
    let player = streams[0].player.as_ref().expect("a player");
    assert!(player.device.open_error().is_some(), "told both ways");

    let player = streams[1].player.as_ref().expect("a player");
    player.control.silence(None).expect("silence");
    let started = told.recv_timeout(PATIENCE).expect("an event");
    assert!(matches!(started.what, Happened::Started) && started.line == 1);
    let before = wakeups.load(Ordering::Relaxed);
    drop(thread);
    assert!(before > 0);
    let ended = told.recv_timeout(PATIENCE).expect("an event");
    let Happened::Stopped(stopped) = ended.what else {
        panic!("{ended:?}")
    };
    assert_eq!((ended.line, stopped.reason), (1, EndReason::Closed));
    assert_eq!(control.order(ChannelOrder::OnHook), Err(OrderError::Closed));
}
