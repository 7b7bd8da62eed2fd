//! Lines of code, of comment, and all.

use serde::{Deserialize, Serialize};

use crate::language::Role;
use crate::source_file::SourceFile;

/// Lines of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// All, from the first to the last.
    pub physical: u32,
    /// With code on them.
    pub code: u32,
    /// With nothing but comment on them.
    pub comment: u32,
}

/// For each line the number of code and comment lines before it.
pub(super) struct LineKinds {
    code: Vec<u32>,
    comment: Vec<u32>,
}

impl LineKinds {
    pub(super) fn of(file: &SourceFile) -> Self {
        let nodes = file.ast().nodes().iter();
        let mut comments = nodes
            .filter(|node| node.role == Role::Comment)
            .map(|node| (node.start, node.end))
            .peekable();
        let count = file.lines().lines();
        let mut kinds = Self { code: vec![0], comment: vec![0] };
        let (mut code, mut comment) = (0, 0);
        for line in 1..=count {
            let range = file.lines().line(line).unwrap_or_default();
            let (mut has_code, mut has_comment) = (false, false);
            let mut at = range.start;
            while at < range.end {
                while comments.peek().is_some_and(|next| next.1 <= at) {
                    comments.next();
                }
                let (start, end) = comments.peek().copied().unwrap_or((u32::MAX, u32::MAX));
                if at >= start {
                    has_comment = true;
                    at = end.min(range.end);
                    continue;
                }
                let until = start.min(range.end);
                has_code |= file.slice((at, until)).iter().any(|byte| !byte.is_ascii_whitespace());
                at = until;
            }
            code += u32::from(has_code);
            comment += u32::from(has_comment && !has_code);
            kinds.code.push(code);
            kinds.comment.push(comment);
        }
        kinds
    }

    /// Lines `first` to `last`, both from 1.
    pub(super) fn between(&self, first: u32, last: u32) -> Lines {
        let difference = |counts: &[u32]| {
            let at = |line: u32| counts.get(line as usize).copied().unwrap_or_default();
            at(last).saturating_sub(at(first.saturating_sub(1)))
        };
        Lines {
            physical: (last + 1).saturating_sub(first),
            code: difference(&self.code),
            comment: difference(&self.comment),
        }
    }
}
