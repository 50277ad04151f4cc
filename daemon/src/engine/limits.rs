//! The engine's named maxima. Each says what happens when it is reached.

use std::time::Duration;

use audio_io::units::Millis;

/// How often rings are drained, triggers run and I/O started. Half of it is the mean delay between
/// a block's arrival and its place in the journal's next batch.
pub(super) const TICK: Duration = Duration::from_millis(100);

/// A gap this long ends the recording it is in (`EndCause::DeviceLost`); the next sound begins a
/// new one. Shorter gaps stay inside as silence with a gap entry.
pub(super) const DEVICE_LOST_AFTER: Millis = Millis(10_000);

/// Commands waiting for the recorder thread. When full, a command waits its turn.
pub(super) const COMMANDS_MAX: usize = 64;

/// Devices one real-time thread drives; more lines get a second thread.
pub(super) const DEVICES_PER_THREAD_MAX: usize = 256;

/// Two legs of a line may be this far apart before the earlier one is slipped.
pub(super) const LEG_SKEW: Millis = Millis(80);

/// How long the smallest distance between two legs is observed before it is believed.
pub(super) const LEG_SKEW_WINDOW: Millis = Millis(2_000);

/// How much sound a displayed level is measured over.
pub(super) const METER_WINDOW: Millis = Millis(100);

/// A leg whose other leg brings nothing for this long goes on alone, with a gap on the other.
pub(super) const LEG_WAIT: Millis = Millis(1_000);

/// The recorder or a capture thread that made no progress for this long is stuck: the watchdog is
/// no longer fed and `/readyz` says so.
pub(super) const PROGRESS_WITHIN: Duration = Duration::from_secs(5);

const _: () = assert!(
    LEG_SKEW.0 < LEG_WAIT.0,
    "skew is corrected before a leg is given up"
);
const _: () = assert!(
    LEG_WAIT.0 < DEVICE_LOST_AFTER.0,
    "one lost leg never ends a recording first"
);
