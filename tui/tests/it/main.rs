//! The UI over traces made by the store's writer: what it shows, where keys lead, and what it asks.
//!
//! Questions are answered at once, by the code that the worker thread runs; the worker itself has its
//! own tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails by panicking")]

mod code;
mod docs;
mod export;
mod grow;
mod harness;
mod keys;
mod live;
mod nonsense;
mod queries;
mod screens;
mod session;
mod travel;
mod worker;
