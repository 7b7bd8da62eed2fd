//! Calls of a trace by where they were made: what needs every event to be read once. In slices, and
//! kept: it goes on over a later snapshot from where it ended.

use scope_timeline::{SiteProfile, SiteProfiler, Timeline, TimelineError};

/// The reading, which owns no part of the trace.
#[derive(Debug, Default)]
pub struct Job {
    profiler: SiteProfiler,
    /// Event to go on from.
    next: u64,
}

impl Job {
    /// Reads at most so many blocks; returns whether more are left.
    ///
    /// # Errors
    ///
    /// [`TimelineError::Interrupted`], after which it may go on; what reading the trace gives.
    pub fn go_on(
        &mut self,
        timeline: &Timeline<'_>,
        most_blocks: usize,
    ) -> Result<bool, TimelineError> {
        let trace = timeline.trace();
        self.next = self.next.max(timeline.start());
        let Some(from) = trace.block_of_event(self.next)? else { return Ok(false) };
        let end = trace.block_count()?;
        for number in (from..end).take(most_blocks) {
            timeline.check_interrupt()?;
            let block = trace.block(number)?;
            for (event, number) in block.events().iter().zip(block.info().first_event..) {
                // Blocks of a growing trace become others: some of its events were seen before.
                if number >= self.next {
                    self.profiler.push(event);
                }
            }
            self.next = block.info().end_event().max(self.next);
        }
        Ok(end - from > most_blocks)
    }

    /// The sites so far.
    #[must_use]
    pub fn sites(&self) -> &[SiteProfile] {
        self.profiler.sites()
    }
}
