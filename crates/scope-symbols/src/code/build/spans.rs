//! Cuts the code of a module into spans, each with its innermost owner.

use rayon::prelude::*;

use crate::code::rows::NONE;

/// A range of code that a function or a copy claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) start: u32,
    pub(super) end: u32,
    /// 0: a function; copies count from 1.
    pub(super) depth: u32,
    pub(super) owner: u32,
}

/// Start and owner of each span, by start; [`NONE`] owns what nobody claims.
///
/// Where claims overlap the one that starts later wins, of those the deeper, and of those the one
/// given later. A copy ends at the latest where the one around it ends.
pub(super) fn cut(mut claims: Vec<Claim>) -> Vec<(u32, u32)> {
    claims.retain(|claim| claim.start < claim.end);
    claims.par_sort_by_key(|claim| (claim.start, claim.depth));
    let mut spans: Vec<(u32, u32)> = Vec::with_capacity(claims.len() * 2);
    let mut open: Vec<Claim> = Vec::new();
    for claim in claims {
        while let Some(last) = open.pop_if(|last| last.end <= claim.start) {
            push(&mut spans, last.end, open.last().map_or(NONE, |around| around.owner));
        }
        let around = open.last().map_or(u32::MAX, |around| around.end);
        if claim.depth == 0 && claim.end > around {
            // A function that reaches beyond the one it begins in: that one is over.
            open.clear();
        }
        let end = open.last().map_or(claim.end, |around| claim.end.min(around.end));
        push(&mut spans, claim.start, claim.owner);
        open.push(Claim { end, ..claim });
    }
    while let Some(last) = open.pop() {
        push(&mut spans, last.end, open.last().map_or(NONE, |around| around.owner));
    }
    spans
}

fn push(spans: &mut Vec<(u32, u32)>, start: u32, owner: u32) {
    // What began at the same address or before, and had no extent, is forgotten.
    while spans.pop_if(|last| last.0 >= start).is_some() {}
    if spans.last().is_none_or(|last| last.1 != owner) {
        spans.push((start, owner));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn claim(start: u32, end: u32, depth: u32, owner: u32) -> Claim {
        Claim { start, end, depth, owner }
    }

    #[test]
    fn copies_cut_the_function_around_them() {
        let spans = cut(vec![
            claim(10, 50, 0, 1),
            claim(20, 40, 1, 2),
            claim(30, 40, 2, 3),
            claim(60, 70, 0, 4),
        ]);
        let expected = [(10, 1), (20, 2), (30, 3), (40, 1), (50, NONE), (60, 4), (70, NONE)];
        assert_eq!(spans, expected);
    }

    #[test]
    fn neighbours_leave_no_gap() {
        let spans = cut(vec![claim(10, 20, 0, 1), claim(20, 30, 0, 2)]);
        assert_eq!(spans, [(10, 1), (20, 2), (30, NONE)]);
    }

    #[test]
    fn a_copy_that_fills_its_function_hides_it() {
        let spans = cut(vec![claim(10, 20, 1, 2), claim(10, 20, 0, 1)]);
        assert_eq!(spans, [(10, 2), (20, NONE)]);
    }

    /// The owner of one address, the slow way: for claims that nest as compilers nest them.
    fn innermost(claims: &[Claim], address: u32) -> u32 {
        let inside = claims.iter().filter(|claim| claim.start <= address && address < claim.end);
        inside.max_by_key(|claim| claim.depth).map_or(NONE, |claim| claim.owner)
    }

    /// Nested claims: each a part of the one before, or a new function.
    fn nested() -> impl Strategy<Value = Vec<Claim>> {
        prop::collection::vec((0_u32..20, 1_u32..20, 0_u32..4), 1..20).prop_map(|parts| {
            let mut claims: Vec<Claim> = Vec::new();
            let mut stack: Vec<Claim> = Vec::new();
            for (owner, (skip, length, pops)) in (0_u32..).zip(parts) {
                for _ in 0..pops {
                    stack.pop();
                }
                let made = match stack.last() {
                    Some(around) => {
                        let last = claims.iter().filter(|claim| claim.depth > around.depth);
                        let from = last.map(|claim| claim.end).max().unwrap_or(0).max(around.start);
                        let start = (from + skip).min(around.end);
                        claim(start, (start + length).min(around.end), around.depth + 1, owner)
                    }
                    None => {
                        let from = claims.iter().map(|claim| claim.end).max().unwrap_or(0);
                        claim(from + skip, from + skip + length * 5, 0, owner)
                    }
                };
                claims.push(made);
                stack.push(made);
            }
            claims
        })
    }

    proptest! {
        #[test]
        fn every_address_has_its_innermost_owner(claims in nested()) {
            let spans = cut(claims.clone());
            prop_assert!(spans.is_sorted_by(|a, b| a.0 < b.0));
            for address in 0..claims.iter().map(|claim| claim.end).max().unwrap_or(0) + 2 {
                let after = spans.partition_point(|span| span.0 <= address);
                let owner = after.checked_sub(1).map_or(NONE, |at| spans[at].1);
                prop_assert_eq!(owner, innermost(&claims, address), "at {}", address);
            }
        }

        #[test]
        fn claims_of_any_shape_are_cut(
            claims in prop::collection::vec((0_u32..60, 0_u32..60, 0_u32..4), 0..30),
        ) {
            let claims: Vec<Claim> = (0..)
                .zip(claims)
                .map(|(owner, (start, end, depth))| claim(start, end, depth, owner))
                .collect();
            let spans = cut(claims.clone());
            prop_assert!(spans.is_sorted_by(|a, b| a.0 < b.0));
            // What somebody claims is somebody's, unless its surroundings ended.
            for span in spans.iter().filter(|span| span.1 != NONE) {
                prop_assert!(claims.iter().any(|claim| claim.owner == span.1));
            }
        }
    }
}
