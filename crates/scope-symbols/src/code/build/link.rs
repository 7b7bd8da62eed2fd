//! References across units: from the key of an entry to the entry, and what it inherits.

use rustc_hash::FxHashMap;

use super::facts::{FileFact, FunctionFact, Key, NO_KEY, ParameterFact, UnitFacts};
use crate::code::rows::{NONE, file_flags};

/// References followed from an entry to the one that names it.
const MAX_HOPS: usize = 8;

/// Scopes that are named at most.
const MAX_SCOPES: usize = 64;

/// All units, by the keys of their entries.
pub(super) struct Linked<'f, 'a> {
    pub(super) units: &'f [UnitFacts<'a>],
    /// First key and the key after the last, of each unit.
    keys: Vec<(Key, Key)>,
    /// Number of each unit's first function and first type among all.
    pub(super) first_function: Vec<u32>,
    pub(super) first_type: Vec<u32>,
    /// The numbers of each unit's files in `files`.
    file_numbers: Vec<Vec<u32>>,
    pub(super) files: Vec<GlobalFile<'f>>,
}

/// A file that units name.
#[derive(Clone, Debug)]
pub(super) struct GlobalFile<'f> {
    pub(super) path: &'f str,
    pub(super) compiled_in: &'f str,
    pub(super) md5: [u8; 16],
    pub(super) flags: u32,
}

/// An entry: its unit and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) unit: usize,
    pub(super) index: usize,
}

/// A function with all that the entries it completes add.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resolved<'a> {
    pub(super) name: &'a [u8],
    pub(super) linkage: &'a [u8],
    /// Number of the file among all.
    pub(super) file: u32,
    pub(super) line: u32,
    pub(super) column: u16,
    pub(super) flags: u16,
    pub(super) returns: Key,
    /// The entry that is named in its scope, and the one that has generic arguments.
    pub(super) declared: At,
    pub(super) arguments: At,
}

/// What tells functions apart across units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Identity<'a> {
    Linkage(&'a [u8]),
    Declared(&'a [u8], u32, u32),
}

impl<'f, 'a> Linked<'f, 'a> {
    /// `keys` are those of the units, in order.
    pub(super) fn new(units: &'f [UnitFacts<'a>], keys: Vec<(Key, Key)>) -> Self {
        let first = |count: fn(&UnitFacts<'a>) -> usize| {
            let mut next = 0_u32;
            let add = |unit| {
                let first = next;
                next = next.saturating_add(u32::try_from(count(unit)).unwrap_or(NONE));
                first
            };
            units.iter().map(add).collect()
        };
        let (file_numbers, files) = merge_files(units);
        Self {
            first_function: first(|unit| unit.functions.len()),
            first_type: first(|unit| unit.types.len()),
            units,
            keys,
            file_numbers,
            files,
        }
    }

    fn unit_of(&self, key: Key) -> Option<usize> {
        let after = self.keys.partition_point(|(start, _)| *start <= key);
        let at = after.checked_sub(1)?;
        (key < self.keys[at].1).then_some(at)
    }

    pub(super) fn function(&self, key: Key) -> Option<At> {
        let unit = self.unit_of(key)?;
        let functions = &self.units[unit].functions;
        let index = functions.binary_search_by_key(&key, |fact| fact.key).ok()?;
        Some(At { unit, index })
    }

    /// Number of a type among all.
    pub(super) fn type_number(&self, key: Key) -> Option<u32> {
        if key == NO_KEY {
            return None;
        }
        let unit = self.unit_of(key)?;
        let types = &self.units[unit].types;
        let index = types.binary_search_by_key(&key, |fact| fact.key).ok()?;
        self.first_type[unit].checked_add(u32::try_from(index).ok()?)
    }

    /// Number of a function among all.
    pub(super) fn function_number(&self, at: At) -> u32 {
        let index = u32::try_from(at.index).unwrap_or(NONE);
        self.first_function[at.unit].saturating_add(index)
    }

    /// Number of a unit's file among all.
    pub(super) fn file(&self, unit: usize, file: u32) -> u32 {
        self.file_numbers[unit].get(file as usize).copied().unwrap_or(NONE)
    }

    pub(super) fn fact(&self, at: At) -> &FunctionFact<'a> {
        &self.units[at.unit].functions[at.index]
    }

    pub(super) fn resolve(&self, at: At) -> Resolved<'a> {
        let mut resolved = Resolved {
            name: &[],
            linkage: &[],
            file: NONE,
            line: 0,
            column: 0,
            flags: 0,
            returns: NO_KEY,
            declared: at,
            arguments: at,
        };
        let mut next = Some(at);
        for _ in 0..MAX_HOPS {
            let Some(at) = next else { break };
            let fact = self.fact(at);
            if resolved.name.is_empty() {
                resolved.name = fact.name;
            }
            if resolved.linkage.is_empty() {
                resolved.linkage = fact.linkage;
            }
            if resolved.file == NONE {
                resolved.file = self.file(at.unit, fact.file);
            }
            if resolved.line == 0 {
                (resolved.line, resolved.column) = (fact.line, fact.column);
            }
            resolved.flags |= fact.flags;
            if resolved.returns == NO_KEY {
                resolved.returns = fact.returns;
            }
            if fact.arguments.count > 0 {
                resolved.arguments = at;
            }
            resolved.declared = at;
            next = self.function(fact.origin).filter(|_| fact.origin != NO_KEY);
        }
        resolved
    }

    pub(super) fn identity(&self, resolved: &Resolved<'a>) -> Option<Identity<'a>> {
        if !resolved.linkage.is_empty() {
            return Some(Identity::Linkage(resolved.linkage));
        }
        let declared = Identity::Declared(resolved.name, resolved.file, resolved.line);
        (!resolved.name.is_empty()).then_some(declared)
    }

    /// Name and type of a parameter, from the one that it completes where it has none.
    pub(super) fn parameter(&self, fact: &ParameterFact<'a>) -> (&'a [u8], Key) {
        let (mut name, mut value_type, mut origin) = (fact.name, fact.value_type, fact.origin);
        for _ in 0..MAX_HOPS {
            if !name.is_empty() && value_type != NO_KEY {
                break;
            }
            let Some(other) = self.parameter_at(origin) else { break };
            if name.is_empty() {
                name = other.name;
            }
            if value_type == NO_KEY {
                value_type = other.value_type;
            }
            origin = other.origin;
        }
        (name, value_type)
    }

    /// Parameters are ordered by owner, and within one by key.
    fn parameter_at(&self, key: Key) -> Option<&ParameterFact<'a>> {
        if key == NO_KEY {
            return None;
        }
        let facts = &self.units[self.unit_of(key)?];
        let after = facts.functions.partition_point(|function| function.key <= key);
        // Nested functions may lie between a function and its later parameters.
        facts.functions[..after].iter().rev().take(MAX_HOPS).find_map(|function| {
            let parameters = facts.parameters.get(function.parameters.range())?;
            let at = parameters.binary_search_by_key(&key, |fact| fact.key).ok()?;
            Some(&parameters[at])
        })
    }

    /// A name with the scopes around it: `outer::inner::name`.
    pub(super) fn qualified(&self, unit: usize, scope: u32, name: &[u8]) -> String {
        let scopes = &self.units[unit].scopes;
        let mut names = vec![name];
        let mut next = scope;
        while let Some(scope) = scopes.get(next as usize)
            && names.len() < MAX_SCOPES
        {
            if !scope.name.is_empty() {
                names.push(scope.name);
            }
            // Scopes are inside earlier ones.
            next = if scope.parent < next { scope.parent } else { NONE };
        }
        let mut qualified = String::new();
        for name in names.iter().rev() {
            if !qualified.is_empty() {
                qualified.push_str("::");
            }
            qualified.push_str(&String::from_utf8_lossy(name));
        }
        qualified
    }
}

/// Each path once. Units that disagree on the contents leave them unknown.
fn merge_files<'f>(units: &'f [UnitFacts<'_>]) -> (Vec<Vec<u32>>, Vec<GlobalFile<'f>>) {
    let mut files: Vec<GlobalFile<'f>> = Vec::new();
    let mut known: FxHashMap<&'f str, u32> = FxHashMap::default();
    let mut number = |fact: &'f FileFact| {
        let number = *known.entry(&fact.path).or_insert_with(|| {
            files.push(GlobalFile {
                path: &fact.path,
                compiled_in: &fact.compiled_in,
                md5: [0; 16],
                flags: 0,
            });
            u32::try_from(files.len() - 1).unwrap_or(NONE)
        });
        if let (Some(md5), Some(file)) = (fact.md5, files.get_mut(number as usize)) {
            if file.flags & file_flags::MD5 == 0 {
                file.flags |= file_flags::MD5;
                file.md5 = md5;
            } else if file.md5 != md5 {
                file.flags |= file_flags::AMBIGUOUS;
            }
        }
        number
    };
    let numbers = units.iter().map(|unit| unit.files.iter().map(&mut number).collect()).collect();
    (numbers, files)
}
