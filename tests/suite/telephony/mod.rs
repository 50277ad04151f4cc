//! Telephone lines: calls that begin and end by signals of the line.

mod audiosocket;
mod dahdi;
