//! The objects that scenarios apply, small enough to read in a failure.
