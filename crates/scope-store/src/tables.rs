//! The tables of the code: the functions that events refer to, and those left out. One document
//! each under `code/`, replaced as a whole when functions are added while recording; rows once
//! written keep their id and contents, so a reader may hold a newer table than it needs.

use std::collections::HashMap;
use std::path::Path;

use scope_model::{Function, FunctionId, LeftOut, Module, ModuleId, SiteClass};
use serde::{Deserialize, Serialize};

use crate::StoreError;
use crate::document::{self, Stamp};
use crate::place::Place;
use crate::steps::Steps;

const FUNCTIONS_FORMAT: &str = "scope functions";
const LEFT_OUT_FORMAT: &str = "scope left out";

/// Contents of `code/functions.json`.
#[derive(Serialize, Deserialize)]
struct FunctionsDocument {
    /// Source files, each once.
    files: Vec<String>,
    functions: Vec<FunctionRow>,
}

#[derive(Serialize, Deserialize)]
struct FunctionRow {
    id: FunctionId,
    name: String,
    /// Absent where it is the readable name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    module: ModuleId,
    address: u64,
    size: u64,
    /// Index in `files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    file: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    site: SiteClass,
    #[serde(default)]
    inlined_copies: u32,
}

/// Where the function table of a trace lies.
pub(crate) const FUNCTIONS: &str = "code/functions.json";
/// Where the table of functions left out lies.
pub(crate) const LEFT_OUT: &str = "code/left_out.json";

/// Replaces the function table; returns its length in bytes.
pub(crate) fn write_functions(trace: &Path, functions: &[Function]) -> Result<u64, StoreError> {
    let mut files = Vec::new();
    let mut index_of: HashMap<&str, u32> = HashMap::new();
    let rows = functions
        .iter()
        .map(|function| {
            let file = function.file.as_deref().map(|file| {
                *index_of.entry(file).or_insert_with(|| {
                    files.push(file.to_owned());
                    u32::try_from(files.len() - 1).unwrap_or(u32::MAX)
                })
            });
            FunctionRow {
                id: function.id,
                name: function.name.clone(),
                symbol: (function.symbol != function.name).then(|| function.symbol.clone()),
                module: function.module,
                address: function.address,
                size: function.size,
                file,
                line: function.line,
                site: function.site,
                inlined_copies: function.inlined_copies,
            }
        })
        .collect();
    let content = FunctionsDocument { files, functions: rows };
    document::replace(&trace.join(FUNCTIONS), FUNCTIONS_FORMAT, &content, &Steps::default())
}

/// Reads the function table.
pub(crate) fn read_functions(place: &Place) -> Result<(Vec<Function>, Stamp), StoreError> {
    let path = place.name(FUNCTIONS);
    let document = document::read::<FunctionsDocument>(place, FUNCTIONS, FUNCTIONS_FORMAT)?;
    let FunctionsDocument { files, functions: rows } = document.content;
    let wrong = |row: usize, what: &str| StoreError::Document {
        file: path.clone(),
        why: format!("row {row} {what}"),
    };
    let mut functions = Vec::with_capacity(rows.len());
    for (index, row) in rows.into_iter().enumerate() {
        if row.id.index() != index {
            return Err(wrong(index, "is not at the index of its id"));
        }
        let file = match row.file {
            Some(file) => Some(
                files
                    .get(file as usize)
                    .ok_or_else(|| wrong(index, "refers to a source file that is not there"))?
                    .clone(),
            ),
            None => None,
        };
        functions.push(Function {
            id: row.id,
            symbol: row.symbol.unwrap_or_else(|| row.name.clone()),
            name: row.name,
            module: row.module,
            address: row.address,
            size: row.size,
            file,
            line: row.line,
            site: row.site,
            inlined_copies: row.inlined_copies,
        });
    }
    Ok((functions, document.stamp))
}

/// Replaces the table of functions left out; returns its length in bytes.
pub(crate) fn write_left_out(trace: &Path, left_out: &[LeftOut]) -> Result<u64, StoreError> {
    document::replace(&trace.join(LEFT_OUT), LEFT_OUT_FORMAT, &left_out, &Steps::default())
}

/// Reads the table of functions left out.
pub(crate) fn read_left_out(place: &Place) -> Result<(Vec<LeftOut>, Stamp), StoreError> {
    let document = document::read(place, LEFT_OUT, LEFT_OUT_FORMAT)?;
    Ok((document.content, document.stamp))
}

/// Checks tables that are to follow `known` ones: each row at the index of its id, and none that
/// was there changed or gone.
pub(crate) fn check(
    known: (&[Module], &[Function]),
    modules: &[Module],
    functions: &[Function],
) -> Result<(), StoreError> {
    let wrong = |table, row, what| Err(StoreError::Table { table, row, what });
    const MISPLACED: &str = "is not at the index of its id";
    const CHANGED: &str = "differs from the row already written";
    if let Some(row) = modules.iter().enumerate().position(|(i, m)| m.id.0 as usize != i) {
        return wrong("module", row, MISPLACED);
    }
    if let Some(row) = functions.iter().enumerate().position(|(i, f)| f.id.index() != i) {
        return wrong("function", row, MISPLACED);
    }
    if let Some(row) = (0..known.0.len()).find(|&row| modules.get(row) != Some(&known.0[row])) {
        return wrong("module", row, CHANGED);
    }
    if let Some(row) = (0..known.1.len()).find(|&row| functions.get(row) != Some(&known.1[row])) {
        return wrong("function", row, CHANGED);
    }
    if let Some(row) = functions.iter().position(|f| f.module.0 as usize >= modules.len()) {
        return wrong("function", row, "refers to a module that is not there");
    }
    Ok(())
}
