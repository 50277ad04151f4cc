//! A recording's own file: its header, its trailing facts, its mapping.

pub mod facts;
pub mod header;
pub(crate) mod mapping;
pub mod sealed;

pub use mapping::lower_priority;
