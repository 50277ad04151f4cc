//! Scripted channels under a manual clock.
