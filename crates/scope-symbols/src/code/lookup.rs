//! From addresses to functions, copies and lines.
//!
//! Spans cut the code so that each belongs innermost to one function or copy; a look-up is a binary
//! search and a walk outward. `frames_at` says what `addr2line -i` says.

use super::format::Section;
use super::model::{CodeFrame, Function, FunctionNumber, InlinedNumber, Line, Place};
use super::rows::{INLINED, IS_STATEMENT, InlinedRow, LineRow, NONE, SpanRow};
use super::tables::{CodeTables, place, reference};

impl CodeTables {
    /// The function whose code holds an ELF virtual address, also in a part that was split off.
    #[must_use]
    pub fn function_at(&self, address: u64) -> Option<Function<'_>> {
        self.function(self.owner_at(address)?.0)
    }

    /// The source lines of a function's code, by address within each part, the entry's part first.
    pub fn lines_of(&self, function: FunctionNumber) -> impl Iterator<Item = Line> {
        self.ranges_of(function).flat_map(move |range| {
            let rows = self.rows::<LineRow>(Section::Lines);
            let bounds = self.offset(range.start).zip(self.offset(range.end));
            let (start, end) = bounds.unwrap_or((0, 0));
            let first = rows.partition_point(|row| row.address.get() <= start).saturating_sub(1);
            let last = rows.partition_point(|row| row.address.get() < end).max(first);
            (first..last).filter_map(move |at| {
                let line = self.line(at)?;
                let cut = Line {
                    address: line.address.max(range.start),
                    end: line.end.min(range.end),
                    ..line
                };
                (cut.address < cut.end).then_some(cut)
            })
        })
    }

    /// The row of the line table that covers an address.
    #[must_use]
    pub fn line_at(&self, address: u64) -> Option<Line> {
        let offset = self.offset(address)?;
        let rows = self.rows::<LineRow>(Section::Lines);
        let after = rows.partition_point(|row| row.address.get() <= offset);
        self.line(after.checked_sub(1)?)
    }

    /// What an address stands for: the function with code first, then the copies in it, the
    /// innermost last, each with its place. Empty where the address belongs to no function.
    #[must_use]
    pub fn frames_at(&self, address: u64) -> Vec<CodeFrame<'_>> {
        let mut frames = Vec::new();
        let Some((owner, mut copy)) = self.owner_at(address) else { return frames };
        let mut here = self.line_at(address).map_or_else(Place::default, |line| line.place);
        while let Some(inlined) = copy {
            let Some(row) = self.row::<InlinedRow>(Section::Inlined, inlined.0) else { break };
            let function = FunctionNumber(row.function.get());
            frames.push(self.frame(function, Some(inlined), here));
            here = place(row.file.get(), row.line.get(), row.column.get());
            // Callers come before what they hold: so the walk ends.
            copy = reference(row.caller.get()).filter(|up| *up < inlined.0).map(InlinedNumber);
        }
        frames.push(self.frame(owner, None, here));
        frames.reverse();
        frames
    }

    /// Where a call was made, by the address that it returns to: the call ends just before.
    #[must_use]
    pub fn call_site(&self, return_address: u64) -> Vec<CodeFrame<'_>> {
        return_address.checked_sub(1).map_or_else(Vec::new, |address| self.frames_at(address))
    }

    fn frame(
        &self,
        function: FunctionNumber,
        inlined: Option<InlinedNumber>,
        place: Place,
    ) -> CodeFrame<'_> {
        let name = self.function_row(function).map_or("", |row| self.text(row.name.get()));
        CodeFrame { function, name, inlined, place }
    }

    /// The function with code at an address, and the innermost copy there.
    fn owner_at(&self, address: u64) -> Option<(FunctionNumber, Option<InlinedNumber>)> {
        let offset = self.offset(address)?;
        let spans = self.rows::<SpanRow>(Section::Spans);
        let after = spans.partition_point(|span| span.start.get() <= offset);
        let owner = reference(spans.get(after.checked_sub(1)?)?.owner.get())?;
        if owner & INLINED == 0 {
            return Some((FunctionNumber(owner), None));
        }
        let copy = InlinedNumber(owner & !INLINED);
        let row = self.row::<InlinedRow>(Section::Inlined, copy.0)?;
        Some((FunctionNumber(row.owner.get()), Some(copy)))
    }

    /// A row of the line table that knows a file.
    fn line(&self, at: usize) -> Option<Line> {
        let rows = self.rows::<LineRow>(Section::Lines);
        let row = rows.get(at)?;
        if row.file.get() == NONE {
            return None;
        }
        let line = row.line.get();
        Some(Line {
            address: self.address(row.address.get()),
            end: rows.get(at + 1).map_or(u64::MAX, |next| self.address(next.address.get())),
            place: place(row.file.get(), line & !IS_STATEMENT, row.column.get()),
            is_statement: line & IS_STATEMENT != 0,
        })
    }
}
