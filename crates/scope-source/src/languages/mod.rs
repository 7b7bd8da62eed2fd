//! The tables of languages, a file each. None holds code of the engine.

pub mod c;
pub mod cpp;
pub mod go;
pub mod rust;
