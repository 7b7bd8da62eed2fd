//! The ids of all nodes of a function, in one pass.

use rustc_hash::FxHashMap;

use crate::ast::AstId;
use crate::node_id::NodeId;
use crate::outline::FunctionIndex;
use crate::source_file::SourceFile;

/// The same as [`SourceFile::id_of`] gives for each node below the function, and for its own.
pub(super) fn of_function(file: &SourceFile, index: FunctionIndex) -> FxHashMap<AstId, NodeId> {
    let Some(function) = file.functions().get(index as usize) else { return FxHashMap::default() };
    let ast = file.ast();
    let mut ids = FxHashMap::default();
    ids.insert(function.node, function.id);
    let mut counts: FxHashMap<(FunctionIndex, u16), u32> = FxHashMap::default();
    let mut buffer = Vec::new();
    // Functions below come in preorder, as nodes do.
    let mut open = vec![index];
    let mut next = index as usize + 1;
    for node in ast.descendants(function.node) {
        while open.len() > 1
            && let Some(innermost) = open.last()
            && ast.subtree_end(file.functions()[*innermost as usize].node) <= node
        {
            open.pop();
        }
        let owner = open.last().copied().unwrap_or(index);
        let kind = ast.node(node).kind;
        let count = counts.entry((owner, kind)).or_default();
        let ordinal = *count;
        *count += 1;
        let inner = file.functions().get(next).filter(|inner| inner.node == node);
        if let Some(inner) = inner {
            ids.insert(node, inner.id);
            open.push(next as FunctionIndex);
            next += 1;
            continue;
        }
        let path = &file.functions()[owner as usize].path;
        ids.insert(node, NodeId::below(path, file.kind_of(node), ordinal, &mut buffer));
    }
    ids
}
