//! `.eh_frame`: where functions begin and end, and whether a return address lies on the stack there.
//!
//! The second matters for safety: a return probe overwrites the word at the stack pointer, and code
//! that is entered by a jump (a part split off a function, a signal trampoline) has something else
//! there. Its unwind table says so.

use std::collections::HashMap;

use gimli::{
    BaseAddresses, CfaRule, CieOrFde, EhFrame, EhFrameOffset, LittleEndian, RegisterRule,
    UnwindContext, UnwindSection as _, X86_64,
};

use crate::elf::Elf;

/// A range of code with an unwind table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) address: u64,
    pub(crate) size: u64,
    /// At its start the return address is the word at the stack pointer.
    pub(crate) called: bool,
}

/// All ranges, by address. Damage ends the list early.
pub(crate) fn read(elf: &Elf<'_>) -> Vec<Frame> {
    let Some(data) = elf.section(".eh_frame") else { return Vec::new() };
    let address = |name| elf.section_range(name).map_or(0, |(address, _)| address);
    let bases = BaseAddresses::default()
        .set_eh_frame(address(".eh_frame"))
        .set_eh_frame_hdr(address(".eh_frame_hdr"))
        .set_text(address(".text"))
        .set_got(address(".got"));
    let section = EhFrame::new(&data, LittleEndian);
    let mut cies = HashMap::new();
    let mut context = UnwindContext::new();
    let mut frames = Vec::new();
    let mut entries = section.entries(&bases);
    while let Ok(Some(entry)) = entries.next() {
        let CieOrFde::Fde(partial) = entry else { continue };
        let parsed = partial.parse(|section, bases, offset: EhFrameOffset<usize>| {
            match cies.get(&offset.0) {
                Some(cie) => Ok(Clone::clone(cie)),
                None => {
                    let cie = section.cie_from_offset(bases, offset)?;
                    cies.insert(offset.0, cie.clone());
                    Ok(cie)
                }
            }
        });
        let Ok(fde) = parsed else { continue };
        // Zeros stand where the linker dropped the function.
        if fde.initial_address() == 0 || fde.len() == 0 {
            continue;
        }
        let called = !fde.is_signal_trampoline()
            && fde
                .unwind_info_for_address(&section, &bases, &mut context, fde.initial_address())
                .is_ok_and(|row| {
                    let at_stack_pointer = matches!(
                        row.cfa(),
                        CfaRule::RegisterAndOffset { register: X86_64::RSP, offset: 8 }
                    );
                    let in_place =
                        matches!(row.register(X86_64::RA), Some(RegisterRule::Offset(-8)));
                    at_stack_pointer && in_place
                });
        frames.push(Frame { address: fde.initial_address(), size: fde.len(), called });
    }
    frames.sort_unstable_by_key(|frame| frame.address);
    frames.dedup_by_key(|frame| frame.address);
    frames
}
