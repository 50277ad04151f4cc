//! The steps of an export, so that tests can cut each one.

/// What has just been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// What died exports left is removed.
    Swept,
    /// The draft is there, empty.
    Created,
    /// A piece of the archive is written: a header, some content, an end.
    Wrote,
    /// The draft is on the disk.
    Synced,
    /// It has its name.
    Named,
    /// Its name is on the disk.
    Done,
}

/// Tells of a step.
#[cfg(not(test))]
pub(crate) const fn step(_: Step) {}

#[cfg(test)]
pub(crate) use counted::{on_step, step};

#[cfg(test)]
mod counted {
    use std::cell::RefCell;

    use super::Step;

    type Hook = Box<dyn FnMut(Step)>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    pub(crate) fn step(step: Step) {
        HOOK.with_borrow_mut(|hook| {
            if let Some(hook) = hook {
                hook(step);
            }
        });
    }

    /// Calls this at each step that this thread does.
    pub(crate) fn on_step(hook: impl FnMut(Step) + 'static) {
        HOOK.set(Some(Box::new(hook)));
    }
}
