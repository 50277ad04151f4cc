//! Lines that behave oddly (`[line.watch]`): no voice for too long, or voice or a call without a
//! pause for too long.

use std::time::Duration;

use crate::config::schema::Watch;

/// Watches one line.
#[derive(Debug)]
pub(super) struct Oddness {
    silent_after: Option<Duration>,
    active_after: Option<Duration>,
    /// When there was voice last, or the watch began.
    voice_at: Option<Duration>,
    /// Since when there is voice or a call.
    active_since: Option<Duration>,
    odd: Odd,
}

/// What is odd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Odd {
    /// No voice for too long.
    pub(crate) silent: bool,
    /// Voice or a call for too long.
    pub(crate) active: bool,
}

impl Oddness {
    pub(super) fn new(watch: Watch) -> Self {
        let after = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
        Self {
            silent_after: after(watch.silent_after_s),
            active_after: after(watch.active_after_s),
            voice_at: None,
            active_since: None,
            odd: Odd::default(),
        }
    }

    /// How the line stands. While its device is away nothing changes: that is told otherwise.
    pub(super) fn look(&mut self, now: Duration, is_running: bool, voice: bool, call: bool) -> Odd {
        if !is_running {
            self.voice_at = None;
            self.active_since = None;
            return self.odd;
        }
        if voice || self.voice_at.is_none() {
            self.voice_at = Some(now);
        }
        self.active_since = match voice || call {
            true => self.active_since.or(Some(now)),
            false => None,
        };
        let over = |since: Option<Duration>, after: Option<Duration>| {
            let (Some(since), Some(after)) = (since, after) else {
                return false;
            };
            now.saturating_sub(since) >= after
        };
        let silent = over(self.voice_at, self.silent_after);
        let active = over(self.active_since, self.active_after);
        self.odd = Odd {
            // After the device was away, an alarm lasts until there is voice.
            silent: silent || (self.odd.silent && !voice),
            active,
        };
        self.odd
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Oddness {
        Oddness::new(Watch {
            silent_after_s: 10,
            active_after_s: 20,
        })
    }

    #[test]
    fn silence_is_an_alarm_until_there_is_voice() {
        let mut watch = watch();
        let mut at = |s, running, voice| {
            let odd = watch.look(Duration::from_secs(s), running, voice, false);
            odd.silent
        };
        assert!(!at(100, true, false));
        assert!(!at(109, true, false));
        assert!(at(110, true, false));
        assert!(at(111, false, false), "its device is away");
        assert!(at(112, true, false));
        assert!(!at(113, true, true));
        assert!(!at(122, true, false));
        assert!(at(123, true, false));
    }

    #[test]
    fn a_call_without_a_pause_is_an_alarm_while_it_lasts() {
        let mut watch = watch();
        let mut at = |s, voice, call| {
            let odd = watch.look(Duration::from_secs(s), true, voice, call);
            odd.active
        };
        assert!(!at(100, false, true));
        assert!(!at(119, true, false));
        assert!(at(120, true, true));
        assert!(!at(121, false, false));
        assert!(!at(122, true, false));
    }

    #[test]
    fn what_is_not_asked_for_is_never_odd() {
        let mut watch = Oddness::new(Watch::default());
        watch.look(Duration::ZERO, true, true, true);
        let odd = watch.look(Duration::from_secs(1_000_000), true, true, true);
        assert_eq!(odd, Odd::default());
    }
}
