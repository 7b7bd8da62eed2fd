//! Stacks as nodes of a tree: a node is a frame and the stack it was called from.
//!
//! A program has far fewer distinct stacks than calls, but a hostile or very deeply recursive trace can
//! have as many. Beyond a limit of their number or their depth, what is called from a stack is not told
//! apart any more: all of it is one node under it, which says so.

use rustc_hash::FxHashMap;

/// Distinct stacks that are told apart: some 100 MB at most.
const MOST: usize = 1 << 20;

/// A stack; 0 is the empty one.
pub(crate) type Node = u32;

/// The empty stack.
pub(crate) const ROOT: Node = 0;

/// A frame that stands for whatever is called from a stack, beyond the limit.
pub(crate) const OTHERS: u32 = u32::MAX;

/// The stacks that were seen.
#[derive(Debug)]
pub(crate) struct Stacks {
    nodes: Vec<Stack>,
    of: FxHashMap<(Node, u32), Node>,
    most: usize,
    deepest: u32,
}

#[derive(Clone, Copy, Debug)]
struct Stack {
    below: Node,
    frame: u32,
    depth: u32,
}

impl Stacks {
    /// The empty stack. Those of more than `deepest` frames will not be told apart.
    pub(crate) fn new(deepest: u32) -> Self {
        Self::with_limit(MOST, deepest)
    }

    fn with_limit(most: usize, deepest: u32) -> Self {
        let empty = Stack { below: ROOT, frame: OTHERS, depth: 0 };
        Self { nodes: vec![empty], of: FxHashMap::default(), most, deepest }
    }

    /// The stack that has a frame on top of another stack.
    pub(crate) fn push(&mut self, stack: Node, frame: u32) -> Node {
        if let Some(node) = self.of.get(&(stack, frame)) {
            return *node;
        }
        let depth = self.nodes[stack as usize].depth + 1;
        let told_apart = self.nodes.len() < self.most && depth <= self.deepest;
        if !told_apart && frame != OTHERS {
            // A node that stands for many takes in all that they call.
            return if self.frame(stack) == OTHERS && stack != ROOT {
                stack
            } else {
                self.push(stack, OTHERS)
            };
        }
        let node = self.nodes.len() as Node;
        self.nodes.push(Stack { below: stack, frame, depth });
        self.of.insert((stack, frame), node);
        node
    }

    /// Its topmost frame; of the empty stack, [`OTHERS`].
    pub(crate) fn frame(&self, stack: Node) -> u32 {
        self.nodes[stack as usize].frame
    }

    /// The stack below its topmost frame; of the empty stack, that itself.
    pub(crate) fn below(&self, stack: Node) -> Node {
        self.nodes[stack as usize].below
    }

    /// How many there are, with the empty one. Those below come before those above.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{OTHERS, ROOT, Stacks};

    #[test]
    fn one_stack_is_one_node() {
        let mut stacks = Stacks::new(9);
        let a = stacks.push(ROOT, 1);
        let b = stacks.push(a, 2);
        assert_eq!(stacks.push(a, 2), b);
        assert_ne!(stacks.push(b, 2), b);
        assert_eq!((stacks.below(b), stacks.frame(b)), (a, 2));
    }

    #[test]
    fn beyond_the_limit_what_is_called_is_one_node() {
        let mut stacks = Stacks::with_limit(3, 9);
        let a = stacks.push(ROOT, 1);
        let b = stacks.push(a, 2);
        let more = stacks.push(a, 3);
        assert_eq!(stacks.frame(more), OTHERS);
        assert_eq!(stacks.push(a, 4), more);
        assert_eq!(stacks.push(more, 5), more);
        assert_eq!(stacks.push(a, 2), b);
    }

    #[test]
    fn a_deep_recursion_is_one_node_from_the_limit_on() {
        let mut stacks = Stacks::new(4);
        let mut stack = ROOT;
        for _ in 0..100 {
            stack = stacks.push(stack, 1);
        }
        assert_eq!((stacks.frame(stack), stacks.len()), (OTHERS, 6));
    }
}
