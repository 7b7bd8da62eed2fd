//! Helpers of the end-to-end tests.

mod not_run;

pub use not_run::not_run;
