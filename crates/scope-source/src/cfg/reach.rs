//! Which nodes no way leads to.

use super::{Cfg, CfgIndex};

impl Cfg {
    /// Marks what the entry does not reach. The exit is never marked: a graph has one.
    pub(super) fn mark_dead(&mut self) {
        let mut reached = vec![false; self.nodes.len()];
        let mut open: Vec<CfgIndex> = vec![Self::ENTRY];
        if let Some(entry) = reached.first_mut() {
            *entry = true;
        }
        while let Some(at) = open.pop() {
            for edge in self.successors(at) {
                if let Some(seen) = reached.get_mut(edge.to as usize)
                    && !*seen
                {
                    *seen = true;
                    open.push(edge.to);
                }
            }
        }
        for (at, node) in self.nodes.iter_mut().enumerate() {
            node.dead = !reached[at] && at != Self::EXIT as usize;
        }
    }
}
