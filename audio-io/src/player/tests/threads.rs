//! The player on its own threads and the machine's clock: what a test can see of it without
//! looking at the time.

use std::sync::mpsc::Receiver;

use super::*;
use crate::clock::SystemClock;
use crate::rt::RealtimeOptions;

fn lines(clock: &Arc<dyn Clock>, count: u32) -> (Vec<FakeSpeaker>, Vec<PlayerLine>) {
    (0..count)
        .map(|line| {
            let format = decoded(RATE);
            let speaker = FakeSpeaker::new(Arc::clone(clock), format, PERIOD, BUFFER);
            let player = PlayerLine {
                line,
                opener: speaker.opener(),
                format,
                tapped: None,
            };
            (speaker, player)
        })
        .unzip()
}

fn next(told: &Receiver<PlayerEvent>) -> PlayerEvent {
    let patience = Duration::from_secs(30);
    told.recv_timeout(patience).expect("an event")
}

#[test]
fn lines_play_side_by_side_and_end_when_they_are_shut_down() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (speakers, lines) = lines(&clock, 4);
    let (events, told) = sync_channel(64);
    let options = RealtimeOptions {
        priority: None,
        lock_memory: false,
        ring_ms: 0,
    };
    let (thread, streams) =
        PlayerThread::spawn("player", lines, &events, options, clock).expect("threads");
    for stream in &streams {
        let file = Scripted::new(RATE, vec![4_000; 2_400]);
        stream.control.start(file.playlist()).expect("a start");
    }
    let mut ended = [0; 4];
    while ended.iter().sum::<u32>() < 4 {
        let event = next(&told);
        if let Happened::Stopped(stopped) = event.what {
            assert_eq!(stopped.reason, EndReason::Finished);
            assert_eq!(stopped.played, Millis(300));
            ended[usize::try_from(event.line).expect("small")] += 1;
        }
    }
    assert_eq!(ended, [1; 4]);
    for speaker in &speakers {
        let written = speaker.written();
        let sounding = written.chunks_exact(2).filter(|two| **two == [0xA0, 0x0F]);
        assert!(sounding.count() >= 2_400 - 128);
    }
    streams[2].control.silence(None).expect("silence");
    assert!(matches!(next(&told).what, Happened::Started));
    drop(thread);
    let last = next(&told);
    let Happened::Stopped(stopped) = last.what else {
        panic!("{last:?}")
    };
    assert_eq!((last.line, stopped.reason), (2, EndReason::Closed));
    assert!(told.try_recv().is_err());
    assert_eq!(streams[0].control.silence(None), Err(PlayerError::Closed));
}
