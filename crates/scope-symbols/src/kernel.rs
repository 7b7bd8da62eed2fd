//! What the x86-64 kernel does with the instruction under a uprobe: refuse it, emulate it in the
//! trap, or copy it out of line and single-step it.
//!
//! Follows `arch_uprobe_analyze_insn` of `arch/x86/kernel/uprobes.c`. Emulated are `push r64` (of
//! two bytes only with the prefix 0x41), `jmp`, `call` and `jcc` with a relative target, and `nop`.
//! Linux 6.18 also emulates the multi-byte nops that its own assembler emits; before, they were
//! single-stepped, so only the five-byte one, which 6.18 rewrites, has a class of its own here.

use iced_x86::{Code, EncodingKind, Instruction};

/// The five-byte nop that the kernel can turn into a call.
pub(crate) const NOP5: [u8; 5] = [0x0f, 0x1f, 0x44, 0x00, 0x00];

/// What happens to an instruction under a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handling {
    /// Rewritten or emulated: [`NOP5`].
    Nop5,
    /// Emulated, straight-line: the next instruction follows.
    Emulated,
    /// Emulated, a branch or call.
    EmulatedBranch,
    /// Single-stepped out of line.
    SingleStepped,
    /// Refused (`ENOTSUPP`), or not to be trusted to this code.
    Refused(&'static str),
}

/// What the kernel does with `instruction`, whose bytes are `bytes`.
pub(crate) fn handling(instruction: &Instruction, bytes: &[u8]) -> Handling {
    if bytes == NOP5 {
        return Handling::Nop5;
    }
    let (prefixes, rest) = bytes.split_at(bytes.iter().take_while(|b| is_prefix(**b)).count());
    if prefixes.contains(&0xf0) {
        return Handling::Refused("an instruction with a lock prefix");
    }
    if prefixes.iter().any(|byte| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e)) {
        return Handling::Refused("an instruction with a segment prefix");
    }
    if instruction.encoding() != EncodingKind::Legacy {
        return vector(rest);
    }
    let (rex, rest) = match rest {
        [rex @ 0x40..=0x4f, rest @ ..] => (Some(*rex), rest),
        rest => (None, rest),
    };
    let Some(&opcode) = rest.first() else { return Handling::Refused("an empty instruction") };
    if matches!(
        instruction.code(),
        Code::Mov_Sreg_rm16 | Code::Mov_Sreg_r32m16 | Code::Mov_Sreg_r64m16
    ) {
        return Handling::Refused("a load of a segment register");
    }
    if is_refused(opcode) {
        return Handling::Refused("this instruction (int, in, out, hlt, cli, …)");
    }
    let plain = prefixes.is_empty();
    match opcode {
        // `41 90` exchanges registers, but the kernel would take it for a nop.
        0x90 if rex.is_some_and(|rex| rex & 1 != 0) => Handling::Refused("xchg r8, rax"),
        0x90 => Handling::Emulated,
        0x50..=0x57 if plain && matches!(rex, None | Some(0x41)) => Handling::Emulated,
        0xe8 | 0xe9 | 0xeb | 0x70..=0x7f => relative_branch(prefixes),
        0x0f if matches!(rest.get(1), Some(0x80..=0x8f)) => relative_branch(prefixes),
        _ => Handling::SingleStepped,
    }
}

fn relative_branch(prefixes: &[u8]) -> Handling {
    if prefixes.contains(&0x66) {
        Handling::Refused("a branch with an operand-size prefix")
    } else {
        Handling::EmulatedBranch
    }
}

/// The kernel looks at the opcode byte alone, whatever the map: `vzeroupper` (77) reads as `ja`.
fn vector(bytes: &[u8]) -> Handling {
    let prefix = match bytes.first() {
        Some(0xc5) => 2,
        Some(0xc4) => 3,
        Some(0x62) => 4,
        _ => return Handling::Refused("an instruction of an unknown encoding"),
    };
    let Some(&opcode) = bytes.get(prefix) else {
        return Handling::Refused("an instruction of an unknown encoding");
    };
    match opcode {
        0x70..=0x7f
        | 0x90
        | 0xe8
        | 0xe9
        | 0xeb
        | 0x0f
        | 0xc2
        | 0xc3
        | 0xca
        | 0xcb
        | 0xea
        | 0xff
        | 0x9a
        | 0x9d => Handling::Refused("a vector instruction that it would take for a branch"),
        opcode if is_refused(opcode) => Handling::Refused("this vector instruction"),
        _ => Handling::SingleStepped,
    }
}

const fn is_prefix(byte: u8) -> bool {
    matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64 | 0x65 | 0x66 | 0x67 | 0xf0 | 0xf2 | 0xf3)
}

/// The zeros of the kernel's table `good_insns_64`.
const fn is_refused(opcode: u8) -> bool {
    matches!(
        opcode,
        0x06 | 0x07
            | 0x0e
            | 0x16
            | 0x17
            | 0x1e
            | 0x1f
            | 0x27
            | 0x2f
            | 0x37
            | 0x3f
            | 0x60..=0x62
            | 0x6c..=0x6f
            | 0x82
            | 0x9a
            | 0xcc..=0xcf
            | 0xd4..=0xd6
            | 0xe4..=0xe7
            | 0xea
            | 0xec..=0xef
            | 0xf1
            | 0xf4
            | 0xfa
            | 0xfb
    )
}
