//! The commands that any user can run, on traces written here and on programs compiled here: no
//! BPF, no root, no recording.

mod at;
mod bookmark;
mod code;
mod dump;
mod export;
mod find;
mod graph;
mod harness;
mod info;
mod json;
mod list;
mod pack;
mod query;
mod replay;
mod report;
mod step;
mod terminal;
mod usage;
mod verify;
