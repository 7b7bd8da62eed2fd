//! Times the building of code tables: `index BINARY [ADDRESSES]` builds them cold, then from a
//! cache, and prints one JSON object; with a file of hexadecimal addresses also the look-ups.

use std::time::Instant;
use std::fs::File;

use scope_symbols::code::CodeTables;
use scope_symbols::FileBytes;

fn main() {
    let path = std::env::args().nth(1).expect("a path");
    let bytes = FileBytes::map(&File::open(&path).unwrap()).unwrap();
    let start = Instant::now();
    let tables = CodeTables::build(&path, &bytes, &mut |_| None, &|_| {}).unwrap();
    println!("cold {:?}, {} bytes", start.elapsed(), tables.as_bytes().len());
    println!("{:?}", tables.facts());
    println!("functions {} of {}, copies {}, types {}, files {}", tables.functions_with_code(), tables.functions().len(), tables.inlined_copies().len(), tables.types().len(), tables.files().len());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", status.lines().find(|l| l.starts_with("VmHWM")).unwrap());
}
