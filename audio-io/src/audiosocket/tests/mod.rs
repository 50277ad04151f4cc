//! The line at an AudioSocket, over real sockets.

mod frames;
mod inlets;
