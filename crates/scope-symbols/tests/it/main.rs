//! Real programs, compiled here, read through the public interface.
#![expect(clippy::unwrap_used, reason = "a test fails where one of its parts does")]

mod build;
mod c;
mod cpp;
mod damage;
mod debug_files;
mod process;
mod rust;
mod selection;
