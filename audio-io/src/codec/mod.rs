//! Audio file formats and companding: what a file is (`probe`), its samples (`decode`), and files
//! made of samples (`encode`; `mp3` also in pieces, each made for itself).

pub mod decode;
pub mod encode;
pub mod g711;
pub mod mp3;
pub mod pcm;
pub mod probe;
pub mod resample;
pub mod target;
pub mod wav;
