//! The layer between Callreel and DAHDI, on a double of the driver: real system calls, no card.
//! What the layer believes of the kernel's interface is compared with Debian's headers first.

mod layout;
mod opening;
mod requests;
mod rig;
mod signals;
mod sound;
mod taps;
mod trouble;
