//! The one focus that every pane follows, and the way back through those before it.

use scope_model::Tid;

/// Where somebody looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Focus {
    /// The moment: number of the event that comes next.
    pub moment: u64,
    /// Its time, ns.
    pub time_ns: u64,
    /// The thread.
    pub tid: Option<Tid>,
    /// The call: so many frames out from the innermost open one.
    pub frame: usize,
}

/// Focuses kept at most.
const MOST: usize = 1_000;

/// Focuses that were visited. A jump adds one; a step changes the one that is current, so that going
/// back leads to where somebody was before the jump, and not through every step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jumps {
    visited: Vec<Focus>,
    current: usize,
}

impl Jumps {
    /// A step led here.
    pub fn step(&mut self, to: Focus) {
        match self.visited.get_mut(self.current) {
            Some(current) => *current = to,
            None => self.visited.push(to),
        }
    }

    /// A jump led here. What was forward of it is forgotten.
    pub fn jump(&mut self, to: Focus) {
        if self
            .visited
            .get(self.current)
            .is_some_and(|current| current.moment == to.moment && current.tid == to.tid)
        {
            self.step(to);
            return;
        }
        self.visited.truncate(self.current + 1);
        self.visited.push(to);
        if self.visited.len() > MOST {
            self.visited.remove(0);
        }
        self.current = self.visited.len() - 1;
    }

    /// To the one before.
    pub fn back(&mut self) -> Option<Focus> {
        self.current = self.current.checked_sub(1)?;
        self.visited.get(self.current).copied()
    }

    /// To the one after.
    pub fn forward(&mut self) -> Option<Focus> {
        let next = self.visited.get(self.current + 1).copied()?;
        self.current += 1;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::{Focus, Jumps};

    fn at(moment: u64) -> Focus {
        Focus { moment, ..Focus::default() }
    }

    #[test]
    fn back_leads_to_before_the_jump_and_forward_again() {
        let mut jumps = Jumps::default();
        jumps.jump(at(0));
        jumps.step(at(3));
        jumps.jump(at(50));
        jumps.step(at(51));
        assert_eq!(jumps.back(), Some(at(3)));
        assert_eq!(jumps.back(), None);
        assert_eq!(jumps.forward(), Some(at(51)));
        assert_eq!(jumps.forward(), None);
    }

    #[test]
    fn a_jump_forgets_what_was_forward() {
        let mut jumps = Jumps::default();
        jumps.jump(at(1));
        jumps.jump(at(2));
        jumps.back();
        jumps.jump(at(9));
        assert_eq!(jumps.forward(), None);
        assert_eq!(jumps.back(), Some(at(1)));
    }

    #[test]
    fn jumps_are_bounded() {
        let mut jumps = Jumps::default();
        for moment in 0..5_000 {
            jumps.jump(at(moment));
        }
        assert_eq!(std::iter::from_fn(|| jumps.back()).count(), super::MOST - 1);
    }
}
