//! Golden bodies of family `session_commands`: what the seed's examples become, what each fault
//! says, how answers and events look.

mod answers;
mod bodies;
mod document;
mod faults;
