//! The arithmetic of the lay-out, the bytes against one encoder's, the sound against decoders'.

mod layout;
mod seams;
mod signals;
