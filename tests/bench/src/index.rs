//! The index at a million recordings: look-up by name, and a page of fifty in order of time, beside
//! SQLite. Both give the same values with the same amount of cache.
