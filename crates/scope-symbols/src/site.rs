//! Where in a function the entry probe goes, and what it costs there.
//!
//! A probe on an instruction that the kernel emulates costs a tenth of one on an instruction that
//! it single-steps. So where the first instruction is not emulated, the probe moves to the next one
//! that is, if every call still passes it exactly once and finds the stack as at entry: the skipped
//! instructions run straight, leave the stack pointer and the return address alone, and nothing
//! branches between. The skipped ones may have overwritten argument registers.

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, OpAccess, OpKind,
    Register,
};
use scope_model::SiteClass;

use crate::kernel::{self, Handling};
use crate::reason::Reason;

/// The furthest a probe moves, in bytes and in instructions.
const REACH: (u64, usize) = (32, 8);

/// Where the entry probe of a function goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// What the instruction there costs.
    pub class: SiteClass,
    /// Bytes from the function's start.
    pub offset: u64,
    /// The function branches to its own start: the probe sees every turn as a call.
    pub loops_to_start: bool,
}

/// The code of one function.
#[derive(Clone, Copy, Debug)]
pub struct Code<'a> {
    /// From the first byte on: at least the first instruction.
    pub bytes: &'a [u8],
    /// Address of the first byte.
    pub address: u64,
    /// Bytes of the function; 0 where its end is unknown: then branches cannot be searched and the
    /// probe stays at the start.
    pub size: u64,
    /// Sorted targets of jumps in other code ([`jumps_out`]) that may lead into this function: at
    /// least those of the parts that were split off it.
    pub incoming: &'a [u64],
}

/// Finds the probe site of a function.
///
/// # Errors
///
/// When the first bytes are no instruction, or one that the kernel refuses.
pub fn find(code: &Code<'_>) -> Result<Site, Reason> {
    let mut decoder = decoder(code.bytes, code.address);
    let mut instruction = Instruction::default();
    if !decoder.can_decode() {
        return Err(Reason::NoCode);
    }
    decoder.decode_out(&mut instruction);
    if instruction.is_invalid() {
        return Err(Reason::Undecodable);
    }
    let at_start = |class| Site { class, offset: 0, loops_to_start: false };
    let site = match kernel::handling(&instruction, bytes_of(code, &instruction)) {
        // A branch back to a push is a tail call of the function to itself: the frame is new.
        Handling::Emulated if instruction.mnemonic() == iced_x86::Mnemonic::Push => {
            return Ok(at_start(SiteClass::Emulated));
        }
        Handling::Nop5 => at_start(SiteClass::Nop5),
        Handling::Emulated | Handling::EmulatedBranch => at_start(SiteClass::Emulated),
        Handling::Refused(what) => return Err(Reason::Refused { what }),
        Handling::SingleStepped => at_start(SiteClass::SingleStepped),
    };
    if code.size == 0 {
        return Ok(site);
    }
    let moved = match site.class {
        SiteClass::SingleStepped => candidate(code, &mut decoder, instruction),
        _ => None,
    };
    let end = code.bytes.len().min(usize::try_from(code.size).unwrap_or(usize::MAX));
    let Some(branches) = Branches::of(&code.bytes[..end], code.address) else { return Ok(site) };
    let start = code.address;
    let site = Site { loops_to_start: any_in(&branches.targets, start, start), ..site };
    let Some((offset, onto_branch)) = moved else { return Ok(site) };
    let (first, last) = (start.saturating_add(1), start.saturating_add(offset));
    let blocked = any_in(&branches.targets, first, last)
        || any_in(code.incoming, first, last)
        || (onto_branch && branches.computed);
    if blocked { Ok(site) } else { Ok(Site { class: SiteClass::Moved, offset, ..site }) }
}

/// Targets outside it that a stretch of code jumps to, unsorted; none where it cannot be decoded.
#[must_use]
pub fn jumps_out(bytes: &[u8], address: u64) -> Vec<u64> {
    let Some(branches) = Branches::of(bytes, address) else { return Vec::new() };
    let mut targets = branches.targets;
    targets.retain(|target| target.wrapping_sub(address) >= bytes.len() as u64);
    targets
}

/// Whether a sorted list has a number in `first..=last`.
fn any_in(sorted: &[u64], first: u64, last: u64) -> bool {
    let from = sorted.partition_point(|target| *target < first);
    sorted.get(from).is_some_and(|target| *target <= last)
}

/// The next emulated instruction after `first` that every call reaches with the stack as at entry,
/// as far as straight-line code shows; and whether it is a branch.
fn candidate(
    code: &Code<'_>,
    decoder: &mut Decoder<'_>,
    first: Instruction,
) -> Option<(u64, bool)> {
    let mut information = InstructionInfoFactory::new();
    let mut instruction = first;
    for _ in 0..REACH.1 {
        if !is_skippable(&instruction, &mut information) || !decoder.can_decode() {
            return None;
        }
        decoder.decode_out(&mut instruction);
        let offset = instruction.ip().wrapping_sub(code.address);
        if instruction.is_invalid() || offset > REACH.0 {
            return None;
        }
        match kernel::handling(&instruction, bytes_of(code, &instruction)) {
            Handling::Nop5 | Handling::Emulated => return Some((offset, false)),
            Handling::EmulatedBranch => return Some((offset, true)),
            // Refused as a site, yet nothing is wrong with running it before one.
            Handling::SingleStepped | Handling::Refused(_) => {}
        }
    }
    None
}

/// Runs straight on, and leaves the stack pointer and what it points to alone.
fn is_skippable(instruction: &Instruction, information: &mut InstructionInfoFactory) -> bool {
    let straight = instruction.flow_control() == FlowControl::Next
        && !instruction.is_stack_instruction()
        && !instruction.has_rep_prefix()
        && !instruction.has_repne_prefix()
        && !instruction.has_lock_prefix();
    let writes = |access| {
        matches!(
            access,
            OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite
        )
    };
    let information = information.info(instruction);
    straight
        && !information
            .used_registers()
            .iter()
            .any(|used| used.register().full_register() == Register::RSP && writes(used.access()))
        && !information
            .used_memory()
            .iter()
            .any(|used| writes(used.access()) && used.base().full_register() == Register::RSP)
}

/// Where a function's own code branches to, as far as its instructions say.
struct Branches {
    /// Sorted.
    targets: Vec<u64>,
    /// There are jumps whose targets the code does not say (jump tables).
    computed: bool,
}

impl Branches {
    /// `None` when some of the code cannot be decoded: what follows is unknown, so is where it
    /// branches to.
    fn of(bytes: &[u8], address: u64) -> Option<Self> {
        let mut branches = Self { targets: Vec::new(), computed: false };
        let mut decoder = decoder(bytes, address);
        let mut instruction = Instruction::default();
        while decoder.can_decode() {
            decoder.decode_out(&mut instruction);
            if instruction.is_invalid() {
                return None;
            }
            match instruction.flow_control() {
                FlowControl::UnconditionalBranch
                | FlowControl::ConditionalBranch
                | FlowControl::XbeginXabortXend => {
                    if matches!(instruction.op0_kind(), OpKind::NearBranch64) {
                        branches.targets.push(instruction.near_branch64());
                    }
                }
                // A jump through a fixed word goes to another function (a PLT entry, a tail call).
                FlowControl::IndirectBranch if !instruction.is_ip_rel_memory_operand() => {
                    branches.computed = true;
                }
                _ => {}
            }
        }
        branches.targets.sort_unstable();
        Some(branches)
    }
}

fn decoder(bytes: &[u8], address: u64) -> Decoder<'_> {
    Decoder::with_ip(64, bytes, address, DecoderOptions::NONE)
}

fn bytes_of<'a>(code: &Code<'a>, instruction: &Instruction) -> &'a [u8] {
    let start = instruction.ip().wrapping_sub(code.address);
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let end = start.saturating_add(instruction.len());
    code.bytes.get(start..end).unwrap_or_default()
}
