//! Made files against their sources.
