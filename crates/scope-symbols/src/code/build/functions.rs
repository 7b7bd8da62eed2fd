//! The list of functions: those with code by address, then those that exist as copies alone.
//!
//! Functions that DWARF knows come first; where it has none, the symbols fill the gaps. A symbol
//! inside a function that DWARF knows (a part split off, a label) is that function.

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::facts::Code;
use super::link::{At, Identity, Linked, Resolved};
use crate::code::rows::{NONE, function_flags};
use crate::functions::PlainFunction;
use crate::names::demangle;

/// A function about to become a row.
#[derive(Clone, Debug)]
pub(super) struct Draft<'a> {
    pub(super) source: Source<'a>,
    pub(super) symbol: String,
    pub(super) name: String,
    /// Qualified name without generic arguments, of what is generic.
    pub(super) generic: Option<String>,
    /// First and last address of the code; empty where there is none.
    pub(super) ranges: Vec<(u32, u32)>,
    pub(super) flags: u16,
}

/// Where a function is known from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Dwarf {
        at: At,
        resolved: Resolved<'a>,
    },
    /// The symbol table, or Go's own table: the numbers of its unit and file, and the line.
    Symbol {
        unit: u32,
        file: u32,
        line: u32,
    },
}

impl Draft<'_> {
    /// Whether the symbol is that of the linkage name, or of a clone or part (`name.cold`).
    fn is_known_as(&self, linkage: &[u8]) -> bool {
        let rest = self.symbol.as_bytes().strip_prefix(linkage);
        rest.is_some_and(|rest| linkage.is_empty() || matches!(rest.first(), None | Some(b'.')))
    }
}

/// All functions.
#[derive(Debug, Default)]
pub(super) struct Functions<'a> {
    pub(super) drafts: Vec<Draft<'a>>,
    /// For each function entry of all units, its place in `drafts`.
    pub(super) numbers: Vec<u32>,
}

/// A function that is known without DWARF.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) start: u32,
    pub(super) end: u32,
    /// The preferred name first.
    pub(super) names: Vec<String>,
    pub(super) external: bool,
    /// The unit that stands for Go's own table, and the number of the file there.
    pub(super) unit: u32,
    pub(super) file: u32,
    pub(super) line: u32,
}

/// Symbols as the tables count addresses.
pub(super) fn known(symbols: &[PlainFunction<'_>], code: &Code) -> Vec<Known> {
    let known = symbols.iter().filter_map(|symbol| {
        let end = symbol.address.saturating_add(symbol.size.max(1));
        let (start, end) = code.clip(symbol.address, end)?;
        let names = symbol.names.iter().map(|name| String::from_utf8_lossy(name).into_owned());
        let mut names: Vec<String> = names.collect();
        if names.is_empty() {
            names.push(format!("fn_{:x}", symbol.address));
        }
        let external = symbol.external;
        Some(Known { start, end, names, external, unit: NONE, file: NONE, line: 0 })
    });
    known.collect()
}

/// All functions, with their names. `known` are ordered by address.
pub(super) fn functions<'a>(linked: &Linked<'_, 'a>, known: &[Known]) -> Functions<'a> {
    let total: usize = linked.units.iter().map(|unit| unit.functions.len()).sum();
    let mut numbers = vec![NONE; total];
    let mut with_code = with_code(linked);
    // Identical functions folded into one by the linker have one address: the first names it.
    let mut places: Vec<(At, u32)> = Vec::with_capacity(with_code.len());
    with_code.dedup_by(|next, kept| {
        let same = next.1 == kept.1;
        if same {
            places.push(*next);
        }
        same
    });
    let mut drafts: Vec<Draft<'a>> = with_code
        .par_iter()
        .map(|(at, start)| {
            let symbol = known.binary_search_by_key(start, |symbol| symbol.start).ok();
            draft(linked, *at, symbol.map(|at| &known[at]))
        })
        .collect();
    drafts.extend(unknown_to_dwarf(linked, &with_code, known));
    drafts.par_sort_by_key(|draft| draft.ranges[0].0);
    let by_start = |start: u32| drafts.binary_search_by_key(&start, |draft| draft.ranges[0].0).ok();
    for (at, start) in with_code.iter().chain(&places) {
        if let Some(number) = by_start(*start) {
            numbers[linked.function_number(*at) as usize] = u32::try_from(number).unwrap_or(NONE);
        }
    }
    let mut functions = Functions { drafts, numbers };
    functions.add_copied(linked);
    functions
}

/// Entries with code, by address; of several at one address those with most to say first.
fn with_code(linked: &Linked<'_, '_>) -> Vec<(At, u32)> {
    let entries = linked.units.iter().enumerate().flat_map(|(unit, facts)| {
        let entries = facts.functions.iter().enumerate();
        entries.filter_map(move |(index, fact)| {
            let (start, _) = facts.ranges.get(fact.ranges.range())?.first()?;
            Some((At { unit, index }, *start))
        })
    });
    let mut entries: Vec<(At, u32)> = entries.collect();
    entries.par_sort_by_key(|(at, start)| (*start, at.unit, at.index));
    entries
}

/// Symbols outside all code that DWARF knows.
fn unknown_to_dwarf<'a>(
    linked: &Linked<'_, 'a>,
    with_code: &[(At, u32)],
    known: &[Known],
) -> Vec<Draft<'a>> {
    let mut covered: Vec<(u32, u32)> = with_code
        .iter()
        .flat_map(|(at, _)| {
            let facts = &linked.units[at.unit];
            facts.ranges.get(linked.fact(*at).ranges.range()).unwrap_or_default()
        })
        .copied()
        .collect();
    covered.par_sort_unstable();
    // With the furthest end so far, overlapping ranges are searched as well.
    let mut furthest = 0;
    for range in &mut covered {
        furthest = range.1.max(furthest);
        range.1 = furthest;
    }
    let is_covered = |start: u32| {
        let after = covered.partition_point(|range| range.0 <= start);
        after.checked_sub(1).is_some_and(|at| start < covered[at].1)
    };
    known
        .par_iter()
        .filter(|symbol| !is_covered(symbol.start))
        .map(|symbol| Draft {
            source: Source::Symbol {
                unit: symbol.unit,
                file: match linked.units.get(symbol.unit as usize) {
                    Some(_) => linked.file(symbol.unit as usize, symbol.file),
                    None => NONE,
                },
                line: symbol.line,
            },
            name: readable(&symbol.names[0]),
            symbol: symbol.names[0].clone(),
            generic: None,
            ranges: vec![(symbol.start, symbol.end)],
            flags: if symbol.external { function_flags::EXTERNAL } else { 0 },
        })
        .collect()
}

fn draft<'a>(linked: &Linked<'_, 'a>, at: At, known: Option<&Known>) -> Draft<'a> {
    let resolved = linked.resolve(at);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let scope = linked.fact(resolved.declared).scope;
    let qualified = linked.qualified(resolved.declared.unit, scope, resolved.name);
    let linkage = text(resolved.linkage);
    let declared = if linkage.is_empty() { text(resolved.name) } else { linkage };
    // The name in the symbol table is what others look for, and tells clones from each other.
    let symbol = match known {
        Some(known) if !known.names.contains(&declared) => known.names[0].clone(),
        _ => declared.clone(),
    };
    // Units need not give linkage names to what they do not export.
    let mangled = if resolved.linkage.is_empty() { &symbol } else { &declared };
    let name = match readable(mangled) {
        name if name != *mangled || !resolved.linkage.is_empty() => name,
        _ => qualified.clone(),
    };
    let plain = without_arguments(&qualified);
    let arguments = linked.fact(resolved.arguments).arguments.count > 0;
    let facts = &linked.units[at.unit];
    Draft {
        generic: (arguments || plain != qualified).then_some(plain),
        name: if name.is_empty() { symbol.clone() } else { name },
        symbol,
        ranges: facts.ranges.get(linked.fact(at).ranges.range()).unwrap_or_default().to_vec(),
        flags: resolved.flags | function_flags::DWARF,
        source: Source::Dwarf { at, resolved },
    }
}

impl<'a> Functions<'a> {
    /// Functions that were inlined: those with code where there is one of the same identity, new
    /// ones else. What the symbol table calls by the name of another function, because the two had
    /// the same code and only one was kept, stands for that one; copies of this one are its own. Code
    /// that only the symbol table knows is described by its copies, if there are any.
    fn add_copied(&mut self, linked: &Linked<'_, 'a>) {
        let mut by_identity: FxHashMap<Identity<'a>, u32> = FxHashMap::default();
        let mut by_symbol: FxHashMap<Vec<u8>, u32> = FxHashMap::default();
        for (number, draft) in (0_u32..).zip(&self.drafts) {
            match &draft.source {
                Source::Dwarf { resolved, .. } => {
                    if let Some(identity) = linked.identity(resolved)
                        && draft.is_known_as(resolved.linkage)
                    {
                        by_identity.entry(identity).or_insert(number);
                    }
                }
                Source::Symbol { unit: NONE, .. } => {
                    by_symbol.insert(draft.symbol.clone().into_bytes(), number);
                }
                Source::Symbol { .. } => {}
            }
        }
        let origins: Vec<Vec<At>> = linked
            .units
            .par_iter()
            .map(|unit| {
                let mut keys: Vec<u64> = unit.copies.iter().map(|copy| copy.origin).collect();
                keys.sort_unstable();
                keys.dedup();
                keys.into_iter().filter_map(|key| linked.function(key)).collect()
            })
            .collect();
        let mut added = Vec::new();
        for at in origins.into_iter().flatten() {
            let global = linked.function_number(at) as usize;
            if self.numbers[global] != NONE {
                continue;
            }
            let resolved = linked.resolve(at);
            let next = u32::try_from(self.drafts.len() + added.len()).unwrap_or(NONE);
            let number = match linked.identity(&resolved) {
                Some(identity) => *by_identity.entry(identity).or_insert_with(|| {
                    let Some(number) = by_symbol.get(resolved.linkage) else { return next };
                    // Of code that jumps to the same code elsewhere, compilers describe copies alone.
                    let known = &mut self.drafts[*number as usize];
                    let ranges = std::mem::take(&mut known.ranges);
                    let flags = known.flags;
                    let described = draft(linked, at, None);
                    *known = Draft { ranges, flags: described.flags | flags, ..described };
                    *number
                }),
                None => next,
            };
            if number == next {
                added.push(at);
            }
            self.numbers[global] = number;
        }
        self.drafts.par_extend(
            added.par_iter().map(|at| Draft { ranges: Vec::new(), ..draft(linked, *at, None) }),
        );
    }
}

/// The readable name of a symbol; the symbol itself where that would be out of all proportion.
fn readable(symbol: &str) -> String {
    const TIMES: usize = 64;
    let name = demangle(symbol);
    if name.len() > symbol.len().saturating_mul(TIMES) { symbol.to_owned() } else { name }
}

/// A qualified name without what stands in angle brackets; operators keep theirs.
fn without_arguments(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut depth = 0_usize;
    let mut before = ' ';
    let mut rest = name;
    while let Some(first) = rest.chars().next() {
        if depth == 0 && rest.starts_with("operator") {
            let word = "operator".len();
            let sign = rest[word..].find(|c| !"<>=-".contains(c)).unwrap_or(rest.len() - word);
            // `operator< <int>` has a blank before its arguments, `operator<<int>` does not exist.
            plain.push_str(&rest[..word + sign]);
            rest = &rest[word + sign..];
            continue;
        }
        match first {
            '<' => depth += 1,
            '>' if depth > 0 => depth -= usize::from(before != '-'),
            _ if depth == 0 => plain.push(first),
            _ => {}
        }
        before = first;
        rest = &rest[first.len_utf8()..];
    }
    plain.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_arguments_are_taken_off() {
        for (name, plain) in [
            ("alloc::vec::{impl#1}::push<u8, alloc::alloc::Global>", "alloc::vec::{impl#1}::push"),
            ("std::vector<int, std::allocator<int> >::push_back", "std::vector::push_back"),
            ("operator<< <char>", "operator<<"),
            ("ns::operator->", "ns::operator->"),
            ("plain", "plain"),
            ("map<fn(u8) -> u8>", "map"),
            ("broken<", "broken"),
        ] {
            assert_eq!(without_arguments(name), plain);
        }
    }
}
