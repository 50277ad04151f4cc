//! The line at an AudioSocket, over real sockets.

mod calls;
mod doors;
mod frames;
mod inlets;
mod rates;
mod rig;
