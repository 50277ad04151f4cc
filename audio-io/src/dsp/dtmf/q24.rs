//! What receivers must accept and refuse: ITU-T Q.24, annex A, table A-1, one column an
//! administration; and where between its two limits this receiver decides.
//!
//! What the figures rest on: the text of the Recommendation was not at hand, so the table was
//! written from knowledge of it and not compared with it. Of the North American column, which is
//! the default, these are also what other receivers and public notes on the Recommendation give:
//! 1.5 and 3.5 % of frequency, 40 and 23 ms of signal, 40 ms of pause, 10 ms of interruption, 8 dB
//! of twist one way and 4 dB the other. The other columns stand on that knowledge alone.

use crate::units::Millis;

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Administration {
    /// Japan.
    Ntt,
    /// North America.
    Att,
    /// Denmark.
    Danish,
    /// Australia.
    Australian,
    /// Brazil.
    Brazilian,
}

impl Administration {
    /// All columns, in the table's order.
    pub const ALL: [Self; 5] = [
        Self::Ntt,
        Self::Att,
        Self::Danish,
        Self::Australian,
        Self::Brazilian,
    ];
}

/// The limits of one column. "Operate" values must be recognised, "reject" values must not; in
/// between a receiver is free. Levels are those of each of the two frequencies, in dBm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// Deviation of a frequency that must be accepted: this part of it ...
    pub frequency_operate: f64,
    /// ... plus this many hertz.
    pub frequency_operate_hertz: f64,
    /// The part of the frequency from which on a deviation must be refused.
    pub frequency_reject: Option<f64>,
    /// The strongest level that must be accepted.
    pub level_operate_max_dbm: f64,
    /// The weakest level that must be accepted.
    pub level_operate_min_dbm: f64,
    /// The level up to which signals must be refused.
    pub level_reject_dbm: f64,
    /// How much stronger the high frequency may be than the low one, in dB.
    pub twist_high_db: f64,
    /// How much stronger the low frequency may be than the high one, in dB.
    pub twist_low_db: f64,
    /// Signals this long must be accepted.
    pub signal_operate: Millis,
    /// Signals up to this length must be refused.
    pub signal_reject: Millis,
    /// Pauses this long must be seen.
    pub pause_operate: Millis,
    /// Interruptions up to this length must not be seen.
    pub interruption: Millis,
    /// The shortest time from the start of a digit to that of the next.
    pub digit_period: Millis,
}

impl Tolerances {
    /// The limits of an administration.
    #[must_use]
    pub const fn of(administration: Administration) -> Self {
        match administration {
            Administration::Ntt => NTT,
            Administration::Att => ATT,
            Administration::Danish => DANISH,
            Administration::Australian => AUSTRALIAN,
            Administration::Brazilian => BRAZILIAN,
        }
    }

    /// The deviation of a frequency that is just accepted, in hertz: nearer to the limit that
    /// must be accepted, since what speech hits by chance lies anywhere.
    pub(super) fn deviation_hertz(&self, nominal_hertz: f64) -> f64 {
        let operate = self.frequency_operate * nominal_hertz + self.frequency_operate_hertz;
        let reject = self
            .frequency_reject
            .map_or(f64::INFINITY, |part| part * nominal_hertz);
        operate + ((reject - operate) * FREQUENCY_SHARE).min(FREQUENCY_MARGIN * nominal_hertz)
    }

    /// The level that is just accepted.
    pub(super) fn level_dbm(&self) -> f64 {
        let gap = self.level_operate_min_dbm - self.level_reject_dbm;
        self.level_operate_min_dbm - (gap / 2.0).min(LEVEL_MARGIN_DB)
    }

    /// The length of signal that is just accepted, in seconds.
    pub(super) fn signal_seconds(&self) -> f64 {
        between(self.signal_reject, self.signal_operate, SIGNAL_SHARE)
    }

    /// The length of pause that just ends a digit, in seconds.
    pub(super) fn pause_seconds(&self) -> f64 {
        between(self.interruption, self.pause_operate, PAUSE_SHARE)
    }
}

impl Default for Tolerances {
    fn default() -> Self {
        ATT
    }
}

#[allow(clippy::cast_precision_loss, reason = "tens of milliseconds")]
fn between(low: Millis, high: Millis, share: f64) -> f64 {
    let (low, high) = (low.0 as f64, high.0 as f64);
    (low + (high - low) * share) / 1_000.0
}

const NTT: Tolerances = Tolerances {
    frequency_operate: 0.018,
    frequency_operate_hertz: 0.0,
    frequency_reject: Some(0.03),
    level_operate_max_dbm: -3.0,
    level_operate_min_dbm: -24.0,
    level_reject_dbm: -29.0,
    twist_high_db: 5.0,
    twist_low_db: 5.0,
    signal_operate: Millis(40),
    signal_reject: Millis(24),
    pause_operate: Millis(30),
    interruption: Millis(10),
    digit_period: Millis(120),
};

const ATT: Tolerances = Tolerances {
    frequency_operate: 0.015,
    frequency_operate_hertz: 0.0,
    frequency_reject: Some(0.035),
    level_operate_max_dbm: 0.0,
    level_operate_min_dbm: -25.0,
    level_reject_dbm: -55.0,
    twist_high_db: 4.0,
    twist_low_db: 8.0,
    signal_operate: Millis(40),
    signal_reject: Millis(23),
    pause_operate: Millis(40),
    interruption: Millis(10),
    digit_period: Millis(93),
};

/// The table gives levels relative to a sensitivity A of the exchange; here A is -27 dBm.
const DANISH: Tolerances = Tolerances {
    frequency_operate: 0.015,
    frequency_operate_hertz: 2.0,
    frequency_reject: None,
    level_operate_max_dbm: -2.0,
    level_operate_min_dbm: -27.0,
    level_reject_dbm: -36.0,
    twist_high_db: 6.0,
    twist_low_db: 6.0,
    signal_operate: Millis(40),
    signal_reject: Millis(20),
    pause_operate: Millis(40),
    interruption: Millis(20),
    digit_period: Millis(100),
};

const AUSTRALIAN: Tolerances = Tolerances {
    frequency_operate: 0.015,
    frequency_operate_hertz: 4.0,
    frequency_reject: Some(0.07),
    level_operate_max_dbm: -5.0,
    level_operate_min_dbm: -27.0,
    level_reject_dbm: -30.0,
    twist_high_db: 10.0,
    twist_low_db: 10.0,
    signal_operate: Millis(40),
    signal_reject: Millis(25),
    pause_operate: Millis(70),
    interruption: Millis(12),
    digit_period: Millis(125),
};

const BRAZILIAN: Tolerances = Tolerances {
    frequency_operate: 0.018,
    frequency_operate_hertz: 0.0,
    frequency_reject: Some(0.03),
    level_operate_max_dbm: -3.0,
    level_operate_min_dbm: -25.0,
    level_reject_dbm: -50.0,
    twist_high_db: 9.0,
    twist_low_db: 9.0,
    signal_operate: Millis(40),
    signal_reject: Millis(20),
    pause_operate: Millis(30),
    interruption: Millis(10),
    digit_period: Millis(120),
};

/// Where between "operate" and "reject" a frequency is refused.
const FREQUENCY_SHARE: f64 = 0.5;

/// At most this part of the frequency beyond "operate".
const FREQUENCY_MARGIN: f64 = 0.008;

/// At most this far below the weakest level that must be accepted.
const LEVEL_MARGIN_DB: f64 = 4.0;

/// Where between "reject" and "operate" a signal is long enough.
const SIGNAL_SHARE: f64 = 0.65;

/// Where between an interruption and a pause a digit has ended.
const PAUSE_SHARE: f64 = 0.5;
