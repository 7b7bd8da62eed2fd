//! All that needs privilege: the kernel half, its maps and links, the rings.
//!
//! The only part of the program with `unsafe`. Absent here: what records mean, where they go.

pub mod attach;
pub mod btf;
pub mod cost;
pub mod gate;
pub mod loss;
pub mod memory;
pub mod object;
pub mod ring;
pub mod sys;
