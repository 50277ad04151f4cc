//! The exchange driven by hand: a store that commits when it is told to and can be opened again, a
//! real player on a scripted loudspeaker, files that come when the test says so, and a clock that
//! stands still.

mod calls;
mod crash;
mod disk;
mod rig;
mod signals;
mod sounds;
