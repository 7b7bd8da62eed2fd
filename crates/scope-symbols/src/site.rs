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
    /// Code that belongs to the function elsewhere (`.cold`), with its address.
    pub elsewhere: &'a [(u64, &'a [u8])],
    /// Code elsewhere would be known: the symbol table is whole.
    pub elsewhere_known: bool,
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
    let Some(branches) = Branches::of(code) else { return Ok(site) };
    let site = Site { loops_to_start: branches.to(code.address, code.address), ..site };
    let Some((offset, onto_branch)) = moved else { return Ok(site) };
    let blocked = branches.to(code.address.saturating_add(1), code.address.saturating_add(offset))
        || (onto_branch && (branches.computed || !code.elsewhere_known));
    if blocked { Ok(site) } else { Ok(Site { class: SiteClass::Moved, offset, ..site }) }
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
    /// `None` when some of the code cannot be decoded.
    fn of(code: &Code<'_>) -> Option<Self> {
        let mut branches = Self { targets: Vec::new(), computed: false };
        // Padding and constant islands after the last instruction may be undecodable; the code of
        // compilers is not. What follows an invalid byte is unknown, so is where it branches to.
        let end = code.bytes.len().min(usize::try_from(code.size).unwrap_or(usize::MAX));
        branches.add(&code.bytes[..end], code.address).then_some(())?;
        for (address, bytes) in code.elsewhere {
            branches.add(bytes, *address).then_some(())?;
        }
        branches.targets.sort_unstable();
        Some(branches)
    }

    fn add(&mut self, bytes: &[u8], address: u64) -> bool {
        let mut decoder = decoder(bytes, address);
        let mut instruction = Instruction::default();
        while decoder.can_decode() {
            decoder.decode_out(&mut instruction);
            if instruction.is_invalid() {
                return false;
            }
            match instruction.flow_control() {
                FlowControl::UnconditionalBranch
                | FlowControl::ConditionalBranch
                | FlowControl::XbeginXabortXend => {
                    if matches!(instruction.op0_kind(), OpKind::NearBranch64) {
                        self.targets.push(instruction.near_branch64());
                    }
                }
                // A jump through a fixed word goes to another function (a PLT entry, a tail call).
                FlowControl::IndirectBranch if !instruction.is_ip_rel_memory_operand() => {
                    self.computed = true;
                }
                _ => {}
            }
        }
        true
    }

    /// Whether any branch goes to `first..=last`.
    fn to(&self, first: u64, last: u64) -> bool {
        let from = self.targets.partition_point(|target| *target < first);
        self.targets.get(from).is_some_and(|target| *target <= last)
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
