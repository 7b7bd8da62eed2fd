//! `scope list`: the functions of a process or a file, what a probe on each costs, and which of them
//! `scope trace` would probe.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use scope_code::Extent;
use scope_model::{Function, FunctionId};
use scope_source::NodeId;
use scope_symbols::select::{Plan, Selection, plan};
use scope_symbols::sources::SourceMap;
use serde::Serialize;

use super::code::subject::{as_recorded, of_binary};
use super::trace;
use crate::cli::ListArgs;
use crate::output::table::{Align, Table, terminal_width};
use crate::output::units::{self, count, counted, printable};
use crate::output::{self, style};
use crate::record::target::{self, Files};

/// Lists the functions.
pub fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let files = files(args)?;
    let (main, images) = files.images().context("no file with functions")?;
    let mut selection = trace::selection(&args.selection);
    // By their paths now: names were resolved when the files were found.
    selection.modules = files.named();
    let plan = plan(&images, main, &selection)?;
    let mut listing = Listing::new(args, &files, &plan, &selection);
    let mut out = output::stdout();
    if args.json {
        listing.find_nodes(&files, &args.sources.map())?;
        output::json::document(&mut out, &listing)?;
    } else {
        listing.write(&mut out)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn files(args: &ListArgs) -> anyhow::Result<Files> {
    let modules = &args.selection.modules;
    if let Some(pid) = args.target.to_str().and_then(|text| text.parse().ok()) {
        target::check(pid)?;
        return target::of_process(pid, modules);
    }
    target::of_command(Path::new(&args.target), modules)
}

/// The JSON of `scope list`. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Listing<'a> {
    target: String,
    /// Those that match, by module and address.
    functions: Vec<Row<'a>>,
    /// Remarks, a sentence each.
    notes: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    symbol: &'a str,
    module: &'a str,
    file: Option<&'a str>,
    line: Option<u32>,
    /// Its node; null where the source is not found, and for functions of others that are not chosen.
    node_id: Option<NodeId>,
    /// Index of the module.
    #[serde(skip)]
    image: usize,
    /// Index in the module.
    #[serde(skip)]
    index: usize,
    /// In the module's own address space; 0 where it has no code.
    address: u64,
    size: u64,
    /// Copies inlined into other functions.
    inlined_copies: u32,
    /// Class of the probe site; null where it cannot be probed.
    site: Option<&'static str>,
    /// `scope trace` with the same selection would probe it.
    chosen: bool,
    /// Why it cannot be probed, or would not be although it matches.
    reason: Option<String>,
}

impl<'a> Listing<'a> {
    fn new(args: &ListArgs, files: &'a Files, plan: &'a Plan, selection: &Selection) -> Self {
        let chosen: HashSet<(usize, usize)> =
            plan.chosen.iter().map(|chosen| (chosen.image, chosen.index)).collect();
        let left_out: HashMap<(&str, &str), &str> = plan
            .left_out
            .iter()
            .map(|left_out| {
                ((left_out.name.as_str(), left_out.symbol.as_str()), left_out.reason.as_str())
            })
            .collect();
        let restricted = !selection.functions.is_empty() || !selection.files.is_empty();
        let mut functions = Vec::new();
        for (image, module) in files.modules.iter().enumerate() {
            for (index, function) in module.image.functions.iter().enumerate() {
                let chosen = chosen.contains(&(image, index));
                let key = (function.name.as_str(), function.symbol.as_str());
                // What matches is in the plan, one way or the other.
                if restricted && !chosen && !left_out.contains_key(&key) {
                    continue;
                }
                let reason = match &function.site {
                    Err(reason) => Some(reason.to_string()),
                    Ok(_) if chosen => None,
                    Ok(_) => left_out.get(&key).map(|reason| (*reason).to_owned()),
                };
                functions.push(Row {
                    name: &function.name,
                    symbol: &function.symbol,
                    module: &module.image.path,
                    file: function.file.as_deref(),
                    line: function.line,
                    node_id: None,
                    image,
                    index,
                    address: function.address,
                    size: function.size,
                    inlined_copies: function.inlined_copies,
                    site: function.class().map(scope_model::SiteClass::name),
                    chosen,
                    reason,
                });
            }
        }
        let notes = files.warnings.iter().chain(&plan.notes).map(String::as_str).collect();
        Self { target: args.target.display().to_string(), functions, notes }
    }

    /// Ties the functions to their sources as they are on this machine.
    fn find_nodes(&mut self, files: &Files, map: &SourceMap) -> anyhow::Result<()> {
        for (image, module) in files.modules.iter().enumerate() {
            let rows: Vec<&mut Row<'_>> = self
                .functions
                .iter_mut()
                .filter(|row| {
                    let own = module.image.functions[row.index].in_project == Some(true);
                    row.image == image && row.address != 0 && (own || row.chosen)
                })
                .collect();
            let functions: Vec<Function> = (0..)
                .zip(&rows)
                .map(|(id, row)| {
                    let function = &module.image.functions[row.index];
                    as_recorded(function, FunctionId(id), module.module.id)
                })
                .collect();
            let code = of_binary(module, &functions, map, Extent::Declarations)?;
            for (row, function) in rows.into_iter().zip(&functions) {
                row.node_id = code.function(function)?.node_id();
            }
        }
        Ok(())
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut table = Table::new(&[
            ("site", Align::Left),
            ("chosen", Align::Left),
            ("bytes", Align::Right),
            ("inlined", Align::Right),
            ("where", Align::Left),
            ("function", Align::Left),
        ])
        .give_way(&["inlined", "bytes", "where"]);
        let mut classes: BTreeMap<&str, u64> = BTreeMap::new();
        for row in &self.functions {
            let site = row.site.unwrap_or("none");
            *classes.entry(site).or_default() += 1;
            table.row(vec![
                site.to_owned(),
                if row.chosen { "yes" } else { "" }.to_owned(),
                count(row.size),
                count(u64::from(row.inlined_copies)),
                row.file
                    .zip(row.line)
                    .map_or_else(String::new, |(file, line)| units::place(file, line)),
                match &row.reason {
                    Some(reason) => format!("{}: {reason}", row.name),
                    None => row.name.to_owned(),
                },
            ]);
        }
        table.write(out, terminal_width())?;
        let classes: Vec<String> =
            classes.iter().map(|(class, number)| format!("{class} {}", count(*number))).collect();
        let chosen = self.functions.iter().filter(|row| row.chosen).count() as u64;
        writeln!(
            out,
            "\n{} ({}), {} chosen",
            counted(self.functions.len() as u64, "function"),
            classes.join(", "),
            count(chosen)
        )?;
        for note in &self.notes {
            let style = style::WARNING;
            writeln!(out, "{style}note{style:#}: {}", printable(note))?;
        }
        out.flush()
    }
}
