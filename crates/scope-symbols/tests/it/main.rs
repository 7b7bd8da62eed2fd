//! Real programs, compiled here, read through the public interface.
#![expect(clippy::unwrap_used, reason = "a test fails where one of its parts does")]

mod build;
mod c;
mod code;
mod code_cache;
mod code_damage;
mod code_forms;
mod code_functions;
mod code_go;
mod code_lookup;
mod code_types;
mod cpp;
mod damage;
mod debug_files;
mod process;
mod rust;
mod selection;
