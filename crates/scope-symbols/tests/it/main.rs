//! Real programs, compiled here, read through the public interface.

mod build;
mod c;
mod cpp;
mod damage;
mod debug_files;
mod process;
mod rust;
mod selection;
