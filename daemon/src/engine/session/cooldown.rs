//! The pauses between commands of one session that seed 001 asks for: three groups, each with its
//! own clock. The limits per application and per address are elsewhere (`http/ratelimit.rs`).

use std::time::Duration;

use super::command::CommandKind;
use super::limits;

/// Commands that share a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// `playback/start` and `playback/silence`.
    Playback,
    /// `playback/stop`, `pause`, `resume`, `seek` and `restart`.
    Seek,
    /// `play_and_get_digits`, `record/start` and `record/stop`.
    Heavy,
}

impl Group {
    /// A command's group; `answer`, `hangup`, `record/pause` and `record/resume` have none.
    #[must_use]
    pub const fn of(kind: CommandKind) -> Option<Self> {
        match kind {
            CommandKind::PlaybackStart | CommandKind::PlaybackSilence => Some(Self::Playback),
            CommandKind::PlaybackStop
            | CommandKind::PlaybackPause
            | CommandKind::PlaybackResume
            | CommandKind::PlaybackSeek
            | CommandKind::PlaybackRestart => Some(Self::Seek),
            CommandKind::PlayAndGetDigits | CommandKind::RecordStart | CommandKind::RecordStop => {
                Some(Self::Heavy)
            }
            CommandKind::Answer
            | CommandKind::Hangup
            | CommandKind::RecordPause
            | CommandKind::RecordResume => None,
        }
    }

    /// Its name in messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Playback => "playback",
            Self::Seek => "seek",
            Self::Heavy => "heavy",
        }
    }

    /// Its pause.
    #[must_use]
    pub const fn pause(self) -> Duration {
        match self {
            Self::Playback => limits::COOLDOWN_PLAYBACK,
            Self::Seek => limits::COOLDOWN_SEEK,
            Self::Heavy => limits::COOLDOWN_HEAVY,
        }
    }

    const fn slot(self) -> usize {
        match self {
            Self::Playback => 0,
            Self::Seek => 1,
            Self::Heavy => 2,
        }
    }
}

/// When each group of one session may be used again. Times are monotonic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cooldowns {
    ready_at: [Duration; 3],
}

impl Cooldowns {
    /// Whether a command of a group may come now; nothing is counted.
    ///
    /// # Errors
    /// How long until it may.
    pub fn check(&self, group: Group, now: Duration) -> Result<(), Duration> {
        let ready_at = self.ready_at[group.slot()];
        match ready_at.checked_sub(now) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => Ok(()),
        }
    }

    /// Lets a command of a group through, and begins the group's pause. One that is refused does
    /// not prolong it.
    ///
    /// # Errors
    /// How long until one may come.
    pub fn take(&mut self, group: Group, now: Duration) -> Result<(), Duration> {
        self.check(group, now)?;
        self.ready_at[group.slot()] = now + group.pause();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_true_to_the_nanosecond_and_each_groups_own() {
        for (group, pause_ms) in [
            (Group::Playback, 500),
            (Group::Seek, 100),
            (Group::Heavy, 2_000),
        ] {
            let pause = Duration::from_millis(pause_ms);
            let start = Duration::from_secs(50);
            let mut cooldowns = Cooldowns::default();
            assert_eq!(cooldowns.take(group, start), Ok(()));
            assert_eq!(cooldowns.take(group, start), Err(pause));
            let almost = start + pause - Duration::from_nanos(1);
            assert_eq!(cooldowns.take(group, almost), Err(Duration::from_nanos(1)));
            for other in [Group::Playback, Group::Seek, Group::Heavy] {
                assert_eq!(cooldowns.check(other, start).is_err(), other == group);
            }
            assert_eq!(cooldowns.take(group, start + pause), Ok(()));
            assert_eq!(cooldowns.take(group, start + pause), Err(pause));
        }
    }

    #[test]
    fn groups_are_the_seeds() {
        let members = |group| {
            CommandKind::ALL
                .into_iter()
                .filter(|kind| Group::of(*kind) == group)
                .map(CommandKind::as_str)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            members(Some(Group::Playback)),
            ["playback/start", "playback/silence"]
        );
        assert_eq!(
            members(Some(Group::Seek)),
            [
                "playback/stop",
                "playback/pause",
                "playback/resume",
                "playback/seek",
                "playback/restart"
            ]
        );
        assert_eq!(
            members(Some(Group::Heavy)),
            ["play_and_get_digits", "record/start", "record/stop"]
        );
        assert_eq!(
            members(None),
            ["answer", "hangup", "record/pause", "record/resume"]
        );
    }
}
