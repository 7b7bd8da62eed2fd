//! The commands that any user can run, on traces written here and on programs compiled here: no
//! BPF, no root, no recording.

mod at;
mod bookmark;
mod code;
mod dump;
mod export;
mod find;
mod harness;
mod info;
mod json;
mod list;
mod pack;
mod replay;
mod report;
mod step;
mod usage;
mod verify;
