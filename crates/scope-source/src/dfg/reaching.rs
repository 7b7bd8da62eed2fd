//! Reaching definitions, by the textbook (Aho et al., *Compilers*, 9.2.4): bit sets, forward,
//! until nothing changes. Work is bounded; what would take more is marked truncated.

use super::{Dfg, LocalUse};
use crate::ast::AstId;
use crate::cfg::{Cfg, CfgIndex};

/// Words of bits that may be computed for one function.
const MOST_WORK: usize = 1 << 25;
/// Definitions that uses of one function may list together.
const MOST_REACHING: usize = 1 << 20;
const NONE: u32 = u32::MAX;

/// A definition, or a use (`definition` is `NONE`), in the order of evaluation within its node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event {
    pub node: CfgIndex,
    pub ast: AstId,
    pub variable: u32,
    pub definition: u32,
}

/// Numbers versions, finds what reaches each use, and fills the graph's uses.
pub(super) fn solve(dfg: &mut Dfg, cfg: &Cfg, events: &mut [Event]) {
    let mut versions = vec![0; dfg.variables.len()];
    for definition in &mut dfg.definitions {
        let version = &mut versions[definition.variable as usize];
        definition.version = *version;
        *version += 1;
    }
    events.sort_by_key(|event| event.node);
    let words = dfg.definitions.len().div_ceil(64);
    let rows = cfg.nodes.len().max(dfg.variables.len());
    if words.saturating_mul(rows) > MOST_WORK / 4 {
        dfg.truncated = true;
        dfg.uses = uses_of(events).collect();
        return;
    }
    let mut masks = Rows::new(dfg.variables.len(), words);
    for (index, definition) in dfg.definitions.iter().enumerate() {
        masks.row_mut(definition.variable)[index / 64] |= 1 << (index % 64);
    }
    let Some(incoming) = flow(cfg, events, &masks, words) else {
        dfg.truncated = true;
        dfg.uses = uses_of(events).collect();
        return;
    };
    let mut now = vec![0; words];
    let mut node = NONE;
    for event in events.iter() {
        if event.node != node {
            node = event.node;
            now.copy_from_slice(incoming.row(node));
        }
        let mask = masks.row(event.variable);
        if event.definition != NONE {
            define(&mut now, mask, event.definition);
            continue;
        }
        let start = dfg.reaching.len() as u32;
        if dfg.reaching.len() < MOST_REACHING {
            for (at, (word, mask)) in now.iter().zip(mask).enumerate() {
                let mut bits = word & mask;
                while bits != 0 {
                    dfg.reaching.push(at as u32 * 64 + bits.trailing_zeros());
                    bits &= bits - 1;
                }
            }
        } else {
            dfg.truncated = true;
        }
        let reaching = (start, dfg.reaching.len() as u32);
        let Event { node, ast, variable, .. } = *event;
        dfg.uses.push(LocalUse { variable, node, ast, reaching });
    }
}

fn uses_of(events: &[Event]) -> impl Iterator<Item = LocalUse> {
    let uses = events.iter().filter(|event| event.definition == NONE);
    uses.map(|event| LocalUse {
        variable: event.variable,
        node: event.node,
        ast: event.ast,
        reaching: (0, 0),
    })
}

fn define(row: &mut [u64], mask: &[u64], definition: u32) {
    for (word, mask) in row.iter_mut().zip(mask) {
        *word &= !mask;
    }
    row[definition as usize / 64] |= 1 << (definition % 64);
}

/// What reaches the beginning of each node; nothing when it takes too long.
fn flow(cfg: &Cfg, events: &[Event], masks: &Rows, words: usize) -> Option<Rows> {
    let mut incoming = Rows::new(cfg.nodes.len(), words);
    let mut out = vec![0; words];
    let mut work = 0_usize;
    let mut changed = true;
    // Nodes are in source order: forward edges are done in one pass, each loop adds one.
    while changed {
        changed = false;
        let mut rest = events;
        for node in 0..cfg.nodes.len() as CfgIndex {
            work += words * (1 + cfg.successors(node).len());
            let here = rest.partition_point(|event| event.node <= node);
            let (own, after) = rest.split_at(here);
            rest = after;
            out.copy_from_slice(incoming.row(node));
            for event in own.iter().filter(|event| event.definition != NONE) {
                define(&mut out, masks.row(event.variable), event.definition);
                work += words;
            }
            for edge in cfg.successors(node) {
                let target = incoming.row_mut(edge.to);
                for (word, out) in target.iter_mut().zip(&out) {
                    // A node that was passed already must be seen again.
                    changed |= edge.to <= node && *word | out != *word;
                    *word |= out;
                }
            }
        }
        if work > MOST_WORK {
            return None;
        }
    }
    Some(incoming)
}

/// Equally long rows of bits.
struct Rows {
    bits: Vec<u64>,
    words: usize,
}

impl Rows {
    fn new(rows: usize, words: usize) -> Self {
        Self { bits: vec![0; rows.saturating_mul(words)], words }
    }

    fn row(&self, index: u32) -> &[u64] {
        let start = index as usize * self.words;
        &self.bits[start..start + self.words]
    }

    fn row_mut(&mut self, index: u32) -> &mut [u64] {
        let start = index as usize * self.words;
        &mut self.bits[start..start + self.words]
    }
}
