//! Fuzzes the rows of the index: what decodes encodes again, and decodes to the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use storage::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::index_values(bytes));
