//! The arithmetic of the lay-out, the bytes against one encoder's, the sound against decoders'.

mod decoded;
mod layout;
mod seams;
mod signals;
