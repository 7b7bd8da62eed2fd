//! The syntax tree as one array in preorder.
//!
//! tree-sitter's own nodes are walked once, with a cursor; everything after works on this array:
//! 24 bytes a node, children reached by skipping subtrees, no pointers, no recursion. Only named
//! nodes are kept; a token that matters (`&&`, `async`) leaves a [`Mark`] on the node it stands
//! in. Nodes of roles that are never looked into (types, imports) have no children here.

use serde::{Deserialize, Serialize};

use crate::language::{Language, Mark, Role, Slot};

/// Index of a node in its [`Ast`].
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct AstId(pub u32);

impl AstId {
    /// The root of the tree.
    pub const ROOT: Self = Self(0);

    /// The id as an index.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// One named node.
#[derive(Clone, Copy, Debug)]
pub struct AstNode {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    parent: u32,
    /// One past the last node of the subtree.
    next: u32,
    /// The grammar's kind; `u16::MAX` for errors.
    pub kind: u16,
    /// What it is to the engine.
    pub role: Role,
    /// Its place in its parent.
    pub slot: Slot,
    /// What a token in it says.
    pub mark: Mark,
}

/// A tree.
#[derive(Clone, Debug, Default)]
pub struct Ast {
    nodes: Vec<AstNode>,
    errors: u32,
}

/// The kind of error nodes.
pub(crate) const ERROR: u16 = u16::MAX;

impl Ast {
    /// Copies a parsed tree.
    #[must_use]
    pub fn build(tree: &tree_sitter::Tree, language: &Language) -> Self {
        let root = tree.root_node();
        let mut ast = Self { nodes: Vec::with_capacity(root.end_byte() / 4 + 16), errors: 0 };
        let missing_matter = root.has_error();
        let mut cursor = tree.walk();
        let mut parents: Vec<u32> = Vec::with_capacity(64);
        loop {
            let node = cursor.node();
            let kind = node.kind_id();
            let mut entered = false;
            if missing_matter && (kind == ERROR || node.is_missing()) {
                ast.errors = ast.errors.saturating_add(1);
            }
            if language.is_named(kind) {
                let role = language.role(kind);
                let at = u32::try_from(ast.nodes.len()).unwrap_or(u32::MAX);
                ast.nodes.push(AstNode {
                    start: node.start_byte() as u32,
                    end: node.end_byte() as u32,
                    parent: parents.last().copied().unwrap_or(0),
                    next: at + 1,
                    kind,
                    role,
                    slot: cursor.field_id().map_or(Slot::None, |id| language.slot(id.get())),
                    mark: Mark::None,
                });
                let leaf = matches!(
                    role,
                    Role::Opaque
                        | Role::Comment
                        | Role::Attribute
                        | Role::Literal
                        | Role::Name
                        | Role::BindingName
                        | Role::LabelName
                );
                if !leaf && cursor.goto_first_child() {
                    parents.push(at);
                    entered = true;
                }
            } else if let Some(mark) = mark_of(language.role(kind))
                && let Some(parent) = parents.last()
                && let Some(parent) = ast.nodes.get_mut(*parent as usize)
                && parent.mark == Mark::None
            {
                parent.mark = mark;
            }
            if entered {
                continue;
            }
            while !cursor.goto_next_sibling() {
                let Some(parent) = parents.pop() else { return ast };
                let end = ast.nodes.len() as u32;
                ast.nodes[parent as usize].next = end;
                if parents.is_empty() || !cursor.goto_parent() {
                    return ast;
                }
            }
        }
    }

    /// How many nodes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Error nodes and missing tokens.
    #[must_use]
    pub const fn errors(&self) -> u32 {
        self.errors
    }

    /// The nodes in preorder.
    #[must_use]
    pub fn nodes(&self) -> &[AstNode] {
        &self.nodes
    }

    /// A node.
    ///
    /// # Panics
    ///
    /// When the id is of another tree.
    #[must_use]
    pub fn node(&self, id: AstId) -> &AstNode {
        &self.nodes[id.index()]
    }

    /// The node's parent; the root has none.
    #[must_use]
    pub fn parent(&self, id: AstId) -> Option<AstId> {
        (id != AstId::ROOT).then(|| AstId(self.node(id).parent))
    }

    /// One past the last node of the subtree.
    #[must_use]
    pub fn subtree_end(&self, id: AstId) -> AstId {
        AstId(self.node(id).next)
    }

    /// The node's children.
    #[must_use]
    pub fn children(&self, id: AstId) -> Children<'_> {
        Children { ast: self, next: id.0 + 1, end: self.node(id).next }
    }

    /// The nodes below, in preorder, without the node itself.
    pub fn descendants(&self, id: AstId) -> impl Iterator<Item = AstId> + use<> {
        (id.0 + 1..self.node(id).next).map(AstId)
    }

    /// The ancestors, nearest first.
    pub fn ancestors(&self, id: AstId) -> impl Iterator<Item = AstId> + use<'_> {
        std::iter::successors(self.parent(id), |id| self.parent(*id))
    }

    /// The first child in that slot.
    #[must_use]
    pub fn child(&self, id: AstId, slot: Slot) -> Option<AstId> {
        self.children(id).find(|child| self.node(*child).slot == slot)
    }

    /// The first child that is no comment.
    #[must_use]
    pub fn first_child(&self, id: AstId) -> Option<AstId> {
        self.children(id).find(|child| self.node(*child).role != Role::Comment)
    }

    /// The first child of that role.
    #[must_use]
    pub fn child_of_role(&self, id: AstId, role: Role) -> Option<AstId> {
        self.children(id).find(|child| self.node(*child).role == role)
    }

    /// The smallest node whose bytes hold this one.
    #[must_use]
    pub fn smallest_at(&self, byte: u32) -> Option<AstId> {
        let mut found = None;
        let mut at = AstId::ROOT;
        let root = self.nodes.first()?;
        if !(root.start..root.end).contains(&byte) {
            return None;
        }
        loop {
            found = Some(at).or(found);
            let holds = |id: &AstId| (self.node(*id).start..self.node(*id).end).contains(&byte);
            match self.children(at).find(holds) {
                Some(child) => at = child,
                None => return found,
            }
        }
    }

    /// The node that was made of tree-sitter's; nothing when it is not kept.
    #[must_use]
    pub fn find(&self, node: &tree_sitter::Node<'_>) -> Option<AstId> {
        let (start, end) = (node.start_byte() as u32, node.end_byte() as u32);
        let first = self.nodes.partition_point(|other| other.start < start);
        let same = self.nodes[first..].iter().take_while(|other| other.start == start);
        let at =
            same.into_iter().position(|other| other.end == end && other.kind == node.kind_id())?;
        Some(AstId((first + at) as u32))
    }

    /// Whether `inner` is `outer` or below it.
    #[must_use]
    pub fn contains(&self, outer: AstId, inner: AstId) -> bool {
        (outer..self.subtree_end(outer)).contains(&inner)
    }
}

const fn mark_of(role: Role) -> Option<Mark> {
    Some(match role {
        Role::TokenAnd => Mark::And,
        Role::TokenOr => Mark::Or,
        Role::TokenNot => Mark::Not,
        Role::TokenEquals => Mark::Equals,
        Role::TokenAsync => Mark::Async,
        Role::TokenDefault => Mark::Default,
        _ => return None,
    })
}

/// Children of a node, in source order.
#[derive(Clone, Debug)]
pub struct Children<'a> {
    ast: &'a Ast,
    next: u32,
    end: u32,
}

impl Iterator for Children<'_> {
    type Item = AstId;

    fn next(&mut self) -> Option<AstId> {
        let at = self.next;
        if at >= self.end {
            return None;
        }
        self.next = self.ast.nodes[at as usize].next;
        Some(AstId(at))
    }
}
