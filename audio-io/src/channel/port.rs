//! The seam between telephone channels and everything else.

use super::event::{ChannelEvent, ChannelOrder};
use crate::port::{CapturePort, PlaybackPort, PollEntry, PortParams};

/// A device with sound both ways and signals. Methods never block, allocate or log.
///
/// The descriptors of a channel are its own: those of [`ChannelPort::capture`] and
/// [`ChannelPort::playback`] are not polled.
pub trait ChannelPort: Send {
    /// What was agreed on when it was opened; the same both ways.
    fn params(&self) -> PortParams;

    /// Appends the descriptors to poll.
    fn poll_entries(&self, out: &mut Vec<PollEntry>);

    /// What the descriptors' `revents` mean, in the order of [`Self::poll_entries`].
    fn ready(&mut self, revents: &[i16]) -> i16 {
        revents.iter().fold(0, |all, one| all | one)
    }

    /// What comes from it.
    fn capture(&mut self) -> &mut dyn CapturePort;

    /// What goes to it; `None` if nothing can (a tap).
    fn playback(&mut self) -> Option<&mut dyn PlaybackPort>;

    /// The next signal, if one waits. The first after opening is [`ChannelEvent::Opened`].
    /// [`ChannelEvent::Gone`] closes the port.
    ///
    /// It is asked at every turn: a port whose descriptors tell of signals looks at the device
    /// only when [`Self::ready`] saw that.
    fn event(&mut self) -> Option<ChannelEvent>;

    /// Carries out an order.
    ///
    /// # Errors
    /// The error number. The channel goes on.
    fn order(&mut self, order: &ChannelOrder) -> Result<(), i32>;
}
