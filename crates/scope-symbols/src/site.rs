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

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 0x1000;

    fn site_of(bytes: &[u8]) -> Result<Site, Reason> {
        let size = bytes.len() as u64;
        find(&Code { bytes, address: START, size, incoming: &[] })
    }

    #[track_caller]
    fn check(bytes: &[u8], class: SiteClass, offset: u64) {
        assert_eq!(site_of(bytes), Ok(Site { class, offset, loops_to_start: false }));
    }

    #[test]
    fn a_push_is_emulated_where_it_stands() {
        check(&[0x55, 0xc3], SiteClass::Emulated, 0);
        // push r15
        check(&[0x41, 0x57, 0xc3], SiteClass::Emulated, 0);
    }

    #[test]
    fn a_push_of_another_encoding_is_single_stepped() {
        // rex.w push rbp: the kernel wants the prefix 0x41 alone.
        check(&[0x48, 0x55, 0xc3], SiteClass::SingleStepped, 0);
        // push 1
        check(&[0x6a, 0x01, 0xc3], SiteClass::SingleStepped, 0);
    }

    #[test]
    fn a_five_byte_nop_has_its_own_class() {
        check(&[0x0f, 0x1f, 0x44, 0x00, 0x00, 0xc3], SiteClass::Nop5, 0);
    }

    #[test]
    fn nop_and_relative_branches_are_emulated() {
        check(&[0x90, 0xc3], SiteClass::Emulated, 0);
        // jmp +0x100; call +0x100; je +0x100
        check(&[0xe9, 0x00, 0x01, 0x00, 0x00], SiteClass::Emulated, 0);
        check(&[0xe8, 0x00, 0x01, 0x00, 0x00, 0xc3], SiteClass::Emulated, 0);
        check(&[0x0f, 0x84, 0x00, 0x01, 0x00, 0x00, 0xc3], SiteClass::Emulated, 0);
    }

    #[test]
    fn the_probe_moves_past_moves_onto_a_push() {
        // endbr64; mov rax, rdi; push rbx
        check(&[0xf3, 0x0f, 0x1e, 0xfa, 0x48, 0x89, 0xf8, 0x53, 0xc3], SiteClass::Moved, 7);
        // mov eax, [rip+0]; push rbx
        check(&[0x8b, 0x05, 0, 0, 0, 0, 0x53, 0xc3], SiteClass::Moved, 6);
    }

    #[test]
    fn the_probe_moves_onto_a_branch() {
        // test rdi, rdi; je +1; nop; ret
        check(&[0x48, 0x85, 0xff, 0x74, 0x01, 0x90, 0xc3], SiteClass::Moved, 3);
    }

    #[test]
    fn a_jump_table_keeps_the_probe_off_a_branch_but_not_off_a_push() {
        // xor eax, eax; cmp edi, 4; ja +4; jmp [rdi*8+0]
        let table = [0x31, 0xc0, 0x83, 0xff, 0x04, 0x77, 0x07, 0xff, 0x24, 0xfd, 0, 0, 0, 0, 0xc3];
        check(&table, SiteClass::SingleStepped, 0);
        // xor eax, eax; push rbx; jmp [rdi*8+0]
        check(&[0x31, 0xc0, 0x53, 0xff, 0x24, 0xfd, 0, 0, 0, 0, 0xc3], SiteClass::Moved, 2);
    }

    #[test]
    fn a_changed_stack_pointer_stops_the_move() {
        // sub rsp, 8; push rbx
        check(&[0x48, 0x83, 0xec, 0x08, 0x53, 0xc3], SiteClass::SingleStepped, 0);
        // lea rsp, [rsp-8]; push rbx
        check(&[0x48, 0x8d, 0x64, 0x24, 0xf8, 0x53, 0xc3], SiteClass::SingleStepped, 0);
        // mov esp, eax; push rbx
        check(&[0x89, 0xc4, 0x53, 0xc3], SiteClass::SingleStepped, 0);
    }

    #[test]
    fn a_write_to_the_stack_stops_the_move() {
        // mov [rsp], rdi; push rbx
        check(&[0x48, 0x89, 0x3c, 0x24, 0x53, 0xc3], SiteClass::SingleStepped, 0);
        // mov rax, [rsp]; push rbx: a read does not
        check(&[0x48, 0x8b, 0x04, 0x24, 0x53, 0xc3], SiteClass::Moved, 4);
    }

    #[test]
    fn a_system_call_stops_the_move() {
        // mov eax, 1; syscall; push rbx
        check(&[0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0x53, 0xc3], SiteClass::SingleStepped, 0);
    }

    #[test]
    fn a_push_too_far_away_is_not_reached() {
        let mut code = [0x48, 0x89, 0xf8].repeat(11);
        code.extend([0x53, 0xc3]);
        check(&code, SiteClass::SingleStepped, 0);
    }

    #[test]
    fn a_branch_into_the_skipped_part_stops_the_move() {
        // xor eax, eax; (1002) inc eax; push rbx; pop rbx; jmp 1002
        let code = [0x31, 0xc0, 0xff, 0xc0, 0x53, 0x5b, 0xeb, 0xfa];
        check(&code, SiteClass::SingleStepped, 0);
        // the same, back onto the push itself
        let code = [0x31, 0xc0, 0xff, 0xc0, 0x53, 0x5b, 0xeb, 0xfc];
        check(&code, SiteClass::SingleStepped, 0);
        // behind the push
        let code = [0x31, 0xc0, 0xff, 0xc0, 0x53, 0x5b, 0xeb, 0xfd];
        check(&code, SiteClass::Moved, 4);
    }

    #[test]
    fn a_branch_from_split_off_code_stops_the_move() {
        // xor eax, eax; inc eax; push rbx; ret
        let bytes = [0x31, 0xc0, 0xff, 0xc0, 0x53, 0xc3];
        // jmp 0x1002 at 0x2000
        let incoming = jumps_out(&[0xe9, 0xfd, 0xef, 0xff, 0xff], 0x2000);
        assert_eq!(incoming, [0x1002]);
        let code = Code { bytes: &bytes, address: START, size: 6, incoming: &incoming };
        assert_eq!(find(&code).map(|site| site.class), Ok(SiteClass::SingleStepped));
    }

    #[test]
    fn a_loop_back_to_the_start_is_told() {
        // movzx eax, byte [rdi]; inc rdi; test al, al; jne start; ret
        let code = [0x0f, 0xb6, 0x07, 0x48, 0xff, 0xc7, 0x84, 0xc0, 0x75, 0xf6, 0xc3];
        let site = Site { class: SiteClass::Moved, offset: 8, loops_to_start: true };
        assert_eq!(site_of(&code), Ok(site));
        // A push at the start makes a new frame each time: a tail call to itself.
        check(&[0x53, 0x5b, 0xeb, 0xfc], SiteClass::Emulated, 0);
    }

    #[test]
    fn an_unknown_end_keeps_the_probe_at_the_start() {
        let bytes = [0x31, 0xc0, 0x53, 0xc3];
        let code = Code { bytes: &bytes, address: START, size: 0, incoming: &[] };
        assert_eq!(find(&code).map(|site| site.class), Ok(SiteClass::SingleStepped));
    }

    #[test]
    fn code_that_cannot_be_decoded_keeps_the_probe_at_the_start() {
        // xor eax, eax; push rbx; ret; (invalid)
        check(&[0x31, 0xc0, 0x53, 0xc3, 0x06], SiteClass::SingleStepped, 0);
    }

    #[test]
    fn what_the_kernel_refuses_is_no_site() {
        for bytes in [
            &[0xf0, 0xff, 0x07, 0xc3][..], // lock inc dword [rdi]
            &[0xcc],                       // int3
            &[0xcd, 0x80],                 // int 0x80
            &[0xf4],                       // hlt
            &[0xc5, 0xf8, 0x77, 0xc3],     // vzeroupper: the kernel reads `ja`
            &[0x66, 0xe8, 0, 0, 0, 0],     // call with an operand-size prefix
            &[0x41, 0x90, 0xc3],           // xchg r8d, eax: the kernel reads `nop`
            &[0x2e, 0x89, 0xc0, 0xc3],     // cs mov eax, eax
        ] {
            assert!(matches!(site_of(bytes), Err(Reason::Refused { .. })), "{bytes:02x?}");
        }
        // A refused instruction may be passed on the way: lock-free code first, vzeroupper second.
        check(&[0x31, 0xc0, 0xc5, 0xf8, 0x77, 0x53, 0xc3], SiteClass::Moved, 5);
    }

    #[test]
    fn no_bytes_and_no_instruction_are_told_apart() {
        assert_eq!(site_of(&[]), Err(Reason::NoCode));
        assert_eq!(site_of(&[0x06]), Err(Reason::Undecodable));
    }
}
