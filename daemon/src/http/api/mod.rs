//! The endpoints, a family a file. What goes over the wire is described in `wire/`.

pub(super) mod task_audio;
