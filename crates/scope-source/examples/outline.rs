//! Prints what a file's outline is: `cargo run --example outline FILE…`.

use std::error::Error;

use scope_source::{Language, SourceFile};

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let language = Language::by_path(&path).ok_or("no known language")?;
        let file = SourceFile::parse(&path, std::fs::read(&path)?, language)?;
        println!("{path}: {} nodes, {} errors", file.ast().len(), file.errors());
        for function in file.functions() {
            let (start, end) = (function.span.start, function.span.end);
            println!(
                "{} {:?} {} {}:{}-{}:{} parameters {} {}",
                function.id,
                function.kind,
                function.qualified_name,
                start.line,
                start.column,
                end.line,
                end.column,
                function.parameter_count,
                function.path,
            );
        }
        for call in file.calls() {
            let name = String::from_utf8_lossy(file.slice(call.name)).into_owned();
            println!("  call {:?} {name} {}", call.kind, file.path_of(call.node));
            assert_eq!(
                file.id_of(call.node),
                scope_source::NodeId::of_path(&file.path_of(call.node))
            );
        }
    }
    Ok(())
}
