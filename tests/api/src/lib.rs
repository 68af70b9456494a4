//! This crate contains tests only; see `tests/`.
