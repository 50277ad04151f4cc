//! ALSA, through alsa-lib: any PCM that its configuration names (`hw:`, `plughw:`, `pulse`,
//! `file`, `null`, a user's own). Opening and negotiating is in `params`, the ports in `capture`
//! and `playback`, listing in `hint`.

mod capture;
pub mod hint;
mod params;
mod playback;
mod quiet;

pub use capture::AlsaCapture;
pub(crate) use params::start_threshold;
pub use playback::AlsaPlayback;
pub use quiet::silence_this_thread;

/// The error number of an alsa-lib error; some of the crate's calls leave it negative.
fn errno_of(error: &alsa::Error) -> i32 {
    error.errno().saturating_abs()
}

/// What a failed read, write or recovery means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing to do yet.
    Wait,
    /// The device ran over or dry.
    Xrun,
    /// The machine was suspended.
    Suspended,
    /// The device must be opened anew.
    Gone(i32),
}

impl From<&alsa::Error> for Fault {
    fn from(error: &alsa::Error) -> Self {
        match errno_of(error) {
            libc::EAGAIN | libc::EINTR => Self::Wait,
            libc::EPIPE => Self::Xrun,
            libc::ESTRPIPE => Self::Suspended,
            // A plugin that reports failure without a number must not look like success.
            0 => Self::Gone(libc::EIO),
            errno => Self::Gone(errno),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_numbers_of_either_sign_mean_the_same() {
        for sign in [1, -1] {
            let fault = |errno: i32| Fault::from(&alsa::Error::new("snd_pcm_readi", sign * errno));
            assert_eq!(fault(libc::EAGAIN), Fault::Wait);
            assert_eq!(fault(libc::EPIPE), Fault::Xrun);
            assert_eq!(fault(libc::ESTRPIPE), Fault::Suspended);
            assert_eq!(fault(libc::ENODEV), Fault::Gone(libc::ENODEV));
            assert_eq!(fault(0), Fault::Gone(libc::EIO));
        }
    }
}
