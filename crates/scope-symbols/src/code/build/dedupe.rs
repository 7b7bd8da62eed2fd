//! Types that several units describe, each kept once.
//!
//! Two types are one when they look the same and what they refer to is the same, all the way down.
//! Types refer to each other in circles, so this is found as automata are minimised: each type gets
//! a class by its own looks; then, round by round, classes are split where the classes of what they
//! refer to differ; when a round splits nothing, the classes are the types.

use std::hash::{Hash as _, Hasher as _};

use rayon::prelude::*;
use rustc_hash::{FxHashMap, FxHasher};

use super::facts::{TypeFact, UnitFacts};
use super::link::Linked;
use crate::code::model::TypeKind;
use crate::code::rows::{NONE, type_flags};

/// Rounds after which classes are taken as they are: chains of unnamed types are never this long.
const MAX_ROUNDS: usize = 64;

/// The distinct types.
#[derive(Debug, Default)]
pub(super) struct Types {
    /// For each type of all units the number it is kept under.
    pub(super) numbers: Vec<u32>,
    /// For each type kept, its unit and its number there.
    pub(super) kept: Vec<(u32, u32)>,
}

/// A graph of all types of all units.
struct Graph {
    /// Classes so far.
    classes: Vec<u64>,
    /// Where the references of each type begin.
    starts: Vec<u32>,
    references: Vec<u32>,
}

pub(super) fn types(linked: &Linked<'_, '_>) -> Types {
    let mut graph = Graph::new(linked);
    let forward = definitions(linked, &graph.classes);
    for reference in &mut graph.references {
        if let Some(target) = forward.get(*reference as usize) {
            *reference = *target;
        }
    }
    graph.refine();
    graph.finish(linked, &forward)
}

impl Graph {
    fn new(linked: &Linked<'_, '_>) -> Self {
        let units: Vec<(Vec<u64>, Vec<u32>, Vec<u32>)> = linked
            .units
            .par_iter()
            .enumerate()
            .map(|(at, unit)| {
                let scopes = scope_hashes(unit);
                let mut references = Vec::new();
                let mut ends = Vec::with_capacity(unit.types.len());
                let mut looks = Vec::with_capacity(unit.types.len());
                for fact in &unit.types {
                    looks.push(look(linked, at, fact, &scopes));
                    references.push(linked.type_number(fact.target).unwrap_or(NONE));
                    let members = unit.members.get(fact.members.range()).unwrap_or_default();
                    references.extend(
                        members
                            .iter()
                            .map(|member| linked.type_number(member.value_type).unwrap_or(NONE)),
                    );
                    ends.push(u32::try_from(references.len()).unwrap_or(NONE));
                }
                (looks, ends, references)
            })
            .collect();
        let mut graph = Self { classes: Vec::new(), starts: vec![0], references: Vec::new() };
        for (looks, ends, references) in units {
            let before = u32::try_from(graph.references.len()).unwrap_or(NONE);
            graph.starts.extend(ends.into_iter().map(|end| before.saturating_add(end)));
            graph.classes.extend(looks);
            graph.references.extend(references);
        }
        graph
    }

    /// Splits classes until nothing more is split.
    fn refine(&mut self) {
        let mut count = distinct(&self.classes);
        for _ in 0..MAX_ROUNDS {
            let next: Vec<u64> = (0..self.classes.len())
                .into_par_iter()
                .map(|at| {
                    let mut hasher = FxHasher::default();
                    self.classes[at].hash(&mut hasher);
                    let range = self.starts[at] as usize..self.starts[at + 1] as usize;
                    for reference in &self.references[range] {
                        self.classes.get(*reference as usize).hash(&mut hasher);
                    }
                    hasher.finish()
                })
                .collect();
            let split = distinct(&next);
            self.classes = next;
            if split <= count {
                break;
            }
            count = split;
        }
    }

    /// The first of each class is kept; what is declared alone follows its definition.
    fn finish(self, linked: &Linked<'_, '_>, forward: &[u32]) -> Types {
        let mut types = Types { numbers: vec![NONE; self.classes.len()], kept: Vec::new() };
        let mut known: FxHashMap<u64, u32> = FxHashMap::default();
        let mut at = 0;
        for (unit, facts) in linked.units.iter().enumerate() {
            for index in 0..facts.types.len() {
                if forward.get(at).is_some_and(|target| *target as usize == at) {
                    types.numbers[at] = *known.entry(self.classes[at]).or_insert_with(|| {
                        let place = (unit, index);
                        let narrow = |number| u32::try_from(number).unwrap_or(NONE);
                        types.kept.push((narrow(place.0), narrow(place.1)));
                        narrow(types.kept.len() - 1)
                    });
                }
                at += 1;
            }
        }
        for (at, target) in forward.iter().enumerate() {
            if *target as usize != at {
                types.numbers[at] = types.numbers.get(*target as usize).copied().unwrap_or(NONE);
            }
        }
        types
    }
}

/// What definitions and declarations of one type share.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Name<'a> {
    kind: u8,
    name: &'a [u8],
    /// Hash of the scopes around it.
    scope: u64,
}

/// The definition of a name: its number and its looks; `None`: not met yet.
type Definition = Option<(u32, u64)>;

/// For each type itself, or the only definition of its name where it is declared alone.
fn definitions(linked: &Linked<'_, '_>, looks: &[u64]) -> Vec<u32> {
    let scopes: Vec<Vec<u64>> = linked.units.par_iter().map(scope_hashes).collect();
    let facts = || {
        linked.units.iter().zip(&scopes).flat_map(|(unit, scopes)| {
            unit.types.iter().map(move |fact| {
                let scope = scopes.get(fact.scope as usize).copied().unwrap_or(0);
                (fact, Name { kind: fact.kind, name: fact.name, scope })
            })
        })
    };
    let declared =
        |fact: &TypeFact<'_>| fact.flags & type_flags::DECLARATION != 0 && !fact.name.is_empty();
    let mut wanted: FxHashMap<Name<'_>, Definition> = FxHashMap::default();
    wanted.extend(facts().filter(|(fact, _)| declared(fact)).map(|(_, name)| (name, None)));
    let mut forward: Vec<u32> = (0..u32::try_from(looks.len()).unwrap_or(NONE)).collect();
    if wanted.is_empty() {
        return forward;
    }
    // A name that stands for several types is none of them.
    let mut ambiguous = Vec::new();
    for (at, (fact, name)) in facts().enumerate() {
        if declared(fact) || !is_aggregate(fact.kind) {
            continue;
        }
        match wanted.get_mut(&name) {
            Some(slot @ None) => *slot = Some((u32::try_from(at).unwrap_or(NONE), looks[at])),
            Some(Some((_, look))) if *look != looks[at] => ambiguous.push(name),
            _ => {}
        }
    }
    for name in ambiguous {
        wanted.insert(name, None);
    }
    for (at, (fact, name)) in facts().enumerate() {
        if !declared(fact) {
            continue;
        }
        // A signature names the definition itself.
        let complete = linked.type_number(fact.target).filter(|target| *target as usize != at);
        let named = wanted.get(&name).copied().flatten().map(|(target, _)| target);
        if let Some(target) = complete.or(named)
            && forward.get(target as usize) == Some(&target)
        {
            forward[at] = target;
        }
    }
    forward
}

fn is_aggregate(kind: u8) -> bool {
    [TypeKind::Struct, TypeKind::Union, TypeKind::Enum].iter().any(|other| *other as u8 == kind)
}

/// What a type looks like, without what it refers to.
fn look(linked: &Linked<'_, '_>, unit: usize, fact: &TypeFact<'_>, scopes: &[u64]) -> u64 {
    let facts = &linked.units[unit];
    let mut hasher = FxHasher::default();
    (fact.kind, fact.encoding, fact.flags, fact.size, fact.name).hash(&mut hasher);
    scopes.get(fact.scope as usize).hash(&mut hasher);
    // Where two types without names stand tells them apart.
    if fact.name.is_empty() && is_aggregate(fact.kind) {
        (linked.file(unit, fact.file), fact.line).hash(&mut hasher);
    }
    for member in facts.members.get(fact.members.range()).unwrap_or_default() {
        (member.name, member.bit_offset, member.bit_size, member.value).hash(&mut hasher);
        (member.variant, member.kind, member.flags).hash(&mut hasher);
    }
    hasher.finish()
}

/// A hash of each scope's names, outward to the unit.
fn scope_hashes(facts: &UnitFacts<'_>) -> Vec<u64> {
    let mut hashes: Vec<u64> = Vec::with_capacity(facts.scopes.len());
    for scope in &facts.scopes {
        let mut hasher = FxHasher::default();
        hashes.get(scope.parent as usize).hash(&mut hasher);
        scope.name.hash(&mut hasher);
        hashes.push(hasher.finish());
    }
    hashes
}

fn distinct(classes: &[u64]) -> usize {
    let mut sorted = classes.to_vec();
    sorted.par_sort_unstable();
    sorted.dedup();
    sorted.len()
}
