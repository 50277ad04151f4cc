//! One channel's side of the real-time loop: orders in, signals out, and sound both ways by the
//! pumps that sound cards have.
//!
//! ```text
//!  a turn:  orders ─▶ port    signals ─▶ notices    port ─▶ StreamPump    PlayerPump ─▶ port
//! ```
//! A signal is told once, in order, and before the sound that was read after it. What finds no
//! room waits: the oldest here, the others in the device.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::thread::Thread;
use std::time::Duration;

use super::event::{ChannelEvent, ChannelNotice, ChannelOrder};
use super::port::ChannelPort;
use super::thread::ChannelStats;
use crate::capture::{CaptureStats, StreamPump, next_multiple};
use crate::drive::{Pump, Turn};
use crate::limits::{CHANNEL_EVENTS_PER_TURN_MAX, CHANNEL_ORDERS_EVERY};
use crate::player::PlayerPump;
use crate::playout::PlayoutStats;
use crate::port::PollEntry;
use crate::units::Frames;

/// One channel's pumps and queues. It owns no port and no clock: both are given to it.
pub(crate) struct ChannelPump {
    capture: StreamPump,
    captured: Arc<CaptureStats>,
    player: Option<Playing>,
    orders: Receiver<ChannelOrder>,
    signals: Signals,
    /// When orders are looked for next.
    look: Duration,
}

/// The pump of what is played, and its device's counters.
struct Playing {
    pump: PlayerPump,
    device: Arc<PlayoutStats>,
    /// Whether the port takes sound.
    present: bool,
}

impl ChannelPump {
    pub(super) fn new(
        capture: (StreamPump, Arc<CaptureStats>),
        player: Option<PlayerPump>,
        orders: Receiver<ChannelOrder>,
        notices: SyncSender<ChannelNotice>,
        stats: Arc<ChannelStats>,
        now: Duration,
    ) -> Self {
        Self {
            capture: capture.0,
            captured: capture.1,
            player: player.map(|pump| Playing {
                device: pump.device_stats(),
                pump,
                present: false,
            }),
            orders,
            signals: Signals {
                notices,
                stats,
                waits: None,
                gone: None,
                is_open: false,
            },
            look: now,
        }
    }

    /// Whom to wake when there is room for decoded sound.
    pub(super) fn wakes(&mut self, worker: Thread) {
        if let Some(player) = &mut self.player {
            player.pump.wakes(worker);
        }
    }

    /// Takes a port that was just opened.
    pub(super) fn attach(&mut self, port: &mut dyn ChannelPort, polled: bool, now: Duration) {
        let params = port.params();
        self.capture.attach(params, polled, now);
        if let Some(player) = &mut self.player {
            player.present = port.playback().is_some();
            if player.present {
                player.pump.attach(params, now);
            }
        }
        self.look = now;
    }

    /// Moves what can be moved. After [`Turn::Gone`] the port must be closed.
    pub(super) fn turn(
        &mut self,
        port: &mut dyn ChannelPort,
        events: i16,
        scratch: &mut [u8],
        now: Duration,
    ) -> Turn {
        let mut turn = self.signal(port, now);
        if turn == Turn::Gone {
            return turn;
        }
        if events != 0 || now >= self.capture.due() {
            match self.capture.turn(port.capture(), scratch, now) {
                Turn::Gone => return self.gone(errno(&self.captured.last_errno), now),
                Turn::Busy => turn = Turn::Busy,
                Turn::Idle => {}
            }
        }
        if let Some(player) = &mut self.player
            && now >= player.pump.due()
        {
            match port.playback() {
                Some(port) if player.present => match player.pump.turn(port, now) {
                    Turn::Gone => return self.player_gone(now),
                    Turn::Busy => turn = Turn::Busy,
                    Turn::Idle => {}
                },
                _ => player.pump.absent(now),
            }
        }
        turn
    }

    /// Keeps time while there is no port.
    pub(super) fn absent(&mut self, now: Duration) {
        self.signals.pay();
        while self.signals.has_room()
            && let Ok(order) = self.orders.try_recv()
        {
            let at = self.capture.position();
            self.signals.refused(at, &order, libc::ENODEV);
        }
        if now >= self.capture.due() {
            self.capture.absent(now);
        }
        if let Some(player) = &mut self.player
            && now >= player.pump.due()
        {
            player.pump.absent(now);
        }
        self.look = next_multiple(now, CHANNEL_ORDERS_EVERY);
    }

    /// When it needs a turn even if no descriptor asks for one, in monotonic time.
    pub(super) fn due(&self) -> Duration {
        let sound = self.capture.due().min(self.look);
        match &self.player {
            Some(player) => player.pump.due().min(sound),
            None => sound,
        }
    }

    /// Carries out orders and tells signals, as many as there is room for.
    fn signal(&mut self, port: &mut dyn ChannelPort, now: Duration) -> Turn {
        self.look = next_multiple(now, CHANNEL_ORDERS_EVERY);
        self.signals.pay();
        let at = self.capture.position();
        let mut turn = Turn::Idle;
        let mut left = CHANNEL_EVENTS_PER_TURN_MAX;
        while left > 0
            && self.signals.has_room()
            && let Ok(order) = self.orders.try_recv()
        {
            if let Err(errno) = port.order(&order) {
                self.signals.refused(at, &order, errno);
            }
            left -= 1;
            turn = Turn::Busy;
        }
        while left > 0 && self.signals.has_room() {
            match port.event() {
                None => return turn,
                Some(ChannelEvent::Gone { errno }) => return self.gone(errno, now),
                Some(event) => self.signals.tell(ChannelNotice { at, event }),
            }
            left -= 1;
            turn = Turn::Busy;
        }
        if left == 0 {
            // The other channels have their turn in between.
            self.look = now;
        }
        turn
    }

    fn player_gone(&mut self, now: Duration) -> Turn {
        let device = self.player.as_ref().map(|player| &player.device);
        let errno = device.map_or(libc::ENODEV, |device| errno(&device.last_errno));
        self.gone(errno, now)
    }

    /// Both directions go on without a port, and it is told.
    fn gone(&mut self, errno: i32, now: Duration) -> Turn {
        self.signals.gone(self.capture.position(), errno);
        self.capture.gone(errno, now);
        if let Some(player) = &mut self.player
            && std::mem::take(&mut player.present)
        {
            player.pump.gone(errno, now);
        }
        Turn::Gone
    }
}

/// What is told of a channel, and what waits to be.
struct Signals {
    notices: SyncSender<ChannelNotice>,
    stats: Arc<ChannelStats>,
    /// Found no room yet.
    waits: Option<ChannelNotice>,
    /// That the port is gone; after what waits. While this is owed no later port is asked for
    /// signals, so there is one of it at most.
    gone: Option<ChannelNotice>,
    /// Whether it was told that the port is open. Of one that was not, its end is not told either.
    is_open: bool,
}

impl Signals {
    /// Whether another notice may be made.
    const fn has_room(&self) -> bool {
        self.waits.is_none() && self.gone.is_none()
    }

    /// Tells what waits.
    fn pay(&mut self) {
        if let Some(notice) = self.waits.take() {
            self.send(notice);
        }
        if self.waits.is_none()
            && let Some(notice) = self.gone.take()
        {
            self.send(notice);
        }
    }

    fn tell(&mut self, notice: ChannelNotice) {
        self.is_open |= matches!(notice.event, ChannelEvent::Opened { .. });
        bump(&self.stats.events);
        self.count(notice.event);
        self.send(notice);
    }

    fn gone(&mut self, at: Frames, errno: i32) {
        let event = ChannelEvent::Gone { errno };
        self.count(event);
        if std::mem::take(&mut self.is_open) {
            self.gone.get_or_insert(ChannelNotice { at, event });
        }
        self.pay();
    }

    fn refused(&mut self, at: Frames, order: &ChannelOrder, errno: i32) {
        bump(&self.stats.refused);
        let order = order.refused();
        let event = ChannelEvent::Refused { order, errno };
        self.send(ChannelNotice { at, event });
    }

    /// Hands a notice on, or keeps it. Whoever does not listen any more is told nothing.
    fn send(&mut self, notice: ChannelNotice) {
        if let Err(TrySendError::Full(notice)) = self.notices.try_send(notice) {
            self.waits = Some(notice);
        }
    }

    /// Keeps the counters.
    fn count(&self, event: ChannelEvent) {
        let stats = &self.stats;
        let hook = |off: bool| stats.off_hook.store(off.into(), Ordering::Relaxed);
        match event {
            ChannelEvent::Opened {
                off_hook, alarms, ..
            } => {
                hook(off_hook);
                stats.alarm_bits.store(alarms, Ordering::Relaxed);
            }
            ChannelEvent::OffHook | ChannelEvent::Connected { .. } => hook(true),
            ChannelEvent::OnHook | ChannelEvent::Disconnected { .. } => hook(false),
            ChannelEvent::Alarm { alarms } => {
                bump(&stats.alarms);
                stats.alarm_bits.store(alarms, Ordering::Relaxed);
            }
            ChannelEvent::AlarmOver => stats.alarm_bits.store(0, Ordering::Relaxed),
            ChannelEvent::ReadOverrun | ChannelEvent::WriteUnderrun => bump(&stats.slips),
            ChannelEvent::Gone { .. } => {
                hook(false);
                stats.alarm_bits.store(0, Ordering::Relaxed);
            }
            _ => {}
        }
    }
}

impl Pump for ChannelPump {
    type Port = dyn ChannelPort;

    fn attach(&mut self, port: &mut (dyn ChannelPort + 'static), polled: bool, now: Duration) {
        self.attach(port, polled, now);
    }

    fn turn(
        &mut self,
        port: &mut (dyn ChannelPort + 'static),
        events: i16,
        scratch: &mut [u8],
        now: Duration,
    ) -> Turn {
        self.turn(port, events, scratch, now)
    }

    fn absent(&mut self, now: Duration) {
        self.absent(now);
    }

    fn due(&self) -> Duration {
        self.due()
    }

    fn poll_entries(port: &dyn ChannelPort, out: &mut Vec<PollEntry>) {
        port.poll_entries(out);
    }

    fn ready(port: &mut (dyn ChannelPort + 'static), revents: &[i16]) -> i16 {
        port.ready(revents)
    }
}

/// Adds one to a counter that only this thread writes.
fn bump(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

fn errno(last: &AtomicU32) -> i32 {
    i32::try_from(last.load(Ordering::Relaxed)).unwrap_or(libc::EIO)
}
