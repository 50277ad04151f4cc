//! A channel's real-time thread neither allocates nor frees: not while calls come and go, speak
//! another rate, press keys, are played to, or hang up. Counted by the allocator itself.

#![allow(unsafe_code, reason = "an allocator is unsafe by its trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use audio_io::audiosocket::AudioSocketListener;
use audio_io::capture::RealtimeOptions;
use audio_io::channel::{ChannelEvent, ChannelOrder, ChannelSource, ChannelStream, ChannelThread};
use audio_io::clock::{Clock, SystemClock};
use audio_io::format::StreamFormat;
use audio_io::units::Millis;

const PATIENCE: Duration = Duration::from_secs(30);

/// The thread that is watched; 0 for none.
static WATCHED: AtomicI32 = AtomicI32::new(0);
static TOUCHED: AtomicU64 = AtomicU64::new(0);

struct Counting;

impl Counting {
    fn count() {
        let watched = WATCHED.load(Ordering::Relaxed);
        // SAFETY: it takes nothing and cannot fail.
        if watched != 0 && unsafe { libc::gettid() } == watched {
            TOUCHED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

// SAFETY: all of it is the system's allocator; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promises are the ones that are asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        Self::count();
        // SAFETY: the caller's promises are the ones that are asked for.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The id of this process's thread of that name.
fn thread_named(name: &str) -> i32 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("threads");
    let id = tasks.filter_map(Result::ok).find(|task| {
        let comm = std::fs::read_to_string(task.path().join("comm"));
        comm.is_ok_and(|comm| comm.trim() == name)
    });
    let id = id.expect("it runs").file_name();
    id.to_string_lossy().parse().expect("a number")
}

fn wait(stream: &ChannelStream, is: impl Fn(&ChannelEvent) -> bool) {
    while !is(&stream
        .notices
        .recv_timeout(PATIENCE)
        .expect("a notice")
        .event)
    {}
}

fn call(address: SocketAddr, uuid: u8) -> TcpStream {
    let mut peer = TcpStream::connect(address).expect("a connection");
    peer.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut first = [uuid; 19];
    first[..3].copy_from_slice(&[0x01, 0, 16]);
    peer.write_all(&first).expect("a write");
    peer
}

/// Speaks for so many frames of 20 ms, in time with what comes back; presses a key now and then.
fn talk(peer: &mut TcpStream, kind: u8, samples: usize, frames: usize) {
    let length = u16::try_from(samples * 2).expect("short").to_be_bytes();
    let mut sound = vec![kind, length[0], length[1]];
    sound.extend((0..samples * 2).map(|at| u8::try_from(at % 251).expect("small")));
    let mut payload = [0; 65_535];
    for frame in 0..frames {
        peer.write_all(&sound).expect("a write");
        if frame % 10 == 0 {
            peer.write_all(&[0x03, 0, 1, b'5']).expect("a write");
        }
        let mut header = [0; 3];
        peer.read_exact(&mut header).expect("a frame");
        let count = usize::from(u16::from_be_bytes([header[1], header[2]]));
        peer.read_exact(&mut payload[..count]).expect("a payload");
    }
}

#[test]
fn the_real_time_thread_leaves_the_allocator_alone() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let (listener, seats) =
        AudioSocketListener::bind(address, Box::new(|_| true), 2, Arc::clone(&clock))
            .expect("an address");
    let format = StreamFormat::TELEPHONE;
    let sources = seats
        .into_iter()
        .zip(0..)
        .map(|(seat, line)| ChannelSource {
            label: "steady".into(),
            line,
            opener: seat.opener(format),
            format,
            tapped: Some(Millis(200)),
        })
        .collect();
    let options = RealtimeOptions {
        priority: None,
        lock_memory: false,
        // Full soon: gaps are counted without memory, too.
        ring_ms: 500,
    };
    let (events, _told) = sync_channel(64);
    let (thread, streams) =
        ChannelThread::spawn("steady", sources, &events, options, clock).expect("threads");
    for stream in &streams {
        wait(stream, |event| matches!(event, ChannelEvent::Opened { .. }));
    }
    let name = std::fs::read_to_string("/proc/thread-self/comm").expect("a name");
    let (own, realtime) = (thread_named(name.trim()), thread_named("steady"));
    WATCHED.store(own, Ordering::Relaxed);
    drop(std::hint::black_box(Box::new(1)));
    WATCHED.store(realtime, Ordering::Relaxed);
    assert!(TOUCHED.swap(0, Ordering::Relaxed) >= 2, "it counts");
    for (uuid, kind, samples) in [(1, 0x10, 160), (2, 0x12, 320), (3, 0x16, 960)] {
        let mut peer = call(listener.address(), uuid);
        let stream = &streams[usize::from(uuid - 1) % 2];
        let connected = ChannelEvent::Connected { uuid: [uuid; 16] };
        wait(stream, |event| *event == connected);
        let player = stream.player.as_ref().expect("a player");
        player.control.silence(Some(Millis(300))).expect("a start");
        talk(&mut peer, kind, samples, 60);
        if uuid == 2 {
            stream.control.order(ChannelOrder::OnHook).expect("taken");
        } else {
            peer.write_all(&[0, 0, 0]).expect("a write");
        }
        let over = ChannelEvent::Disconnected { orderly: true };
        wait(stream, |event| *event == over);
    }
    let touched = TOUCHED.load(Ordering::Relaxed);
    WATCHED.store(0, Ordering::Relaxed);
    drop(thread);
    assert_eq!(touched, 0, "times that the allocator was called");
}
