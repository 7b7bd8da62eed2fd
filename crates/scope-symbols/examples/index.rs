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
    eprintln!("cold {:?}, {} bytes", start.elapsed(), tables.as_bytes().len());
    eprintln!("{:?}", tables.facts());
    eprintln!("functions {} of {}, copies {}, types {}, files {}", tables.functions_with_code(), tables.functions().len(), tables.inlined_copies().len(), tables.types().len(), tables.files().len());
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    eprintln!("{}", status.lines().find(|l| l.starts_with("VmHWM")).unwrap());
    if let Some(addresses) = std::env::args().nth(2) {
        let text = std::fs::read_to_string(addresses).unwrap();
        let start = Instant::now();
        let mut count = 0;
        for line in text.lines() {
            let address = u64::from_str_radix(line.trim_start_matches("0x"), 16).unwrap();
            count += tables.frames_at(address).len();
        }
        eprintln!("lookups {:?} {count}", start.elapsed());
        use std::io::Write as _;
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        for line in text.lines() {
            let address = u64::from_str_radix(line.trim_start_matches("0x"), 16).unwrap();
            writeln!(out, "0x{address:016x}").unwrap();
            for frame in tables.frames_at(address).iter().rev() {
                let function = tables.function(frame.function).unwrap();
                let path = tables.path(&frame.place);
                writeln!(out, "{}\n{}:{}", function.symbol, if path.is_empty() { "??" } else { path }, frame.place.line.unwrap_or(0)).unwrap();
            }
        }
    }
}
