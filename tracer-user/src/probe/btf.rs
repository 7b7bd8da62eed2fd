//! Offsets of the running kernel's structures, from its own type information
//! (`/sys/kernel/btf/vmlinux`; format: Documentation/bpf/btf.rst in the kernel's sources).
//!
//! Reads just what the kernel half needs: members of structures by name, parameters of tracepoints.

use std::collections::HashMap;
use std::path::Path;

use tracer_common::{TaskOffsets, UprobeOffsets};

const PATH: &str = "/sys/kernel/btf/vmlinux";

const KIND_PTR: u32 = 2;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_FUNC_PROTO: u32 = 13;

/// Why the kernel's type information is of no use.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// Not there.
    #[error("cannot read {PATH}: {0}; the kernel must be built with CONFIG_DEBUG_INFO_BTF")]
    Read(#[from] std::io::Error),
    /// Not understood.
    #[error("the kernel's type information in {PATH} is malformed")]
    Malformed,
    /// A structure or member this kernel does not have.
    #[error("this kernel has no {0}")]
    Missing(String),
}

/// The kernel's types.
#[derive(Debug)]
pub struct KernelTypes {
    types: Vec<Type>,
    /// Structures and typedefs by name.
    by_name: HashMap<String, usize>,
}

#[derive(Debug)]
struct Type {
    kind: u32,
    /// Referenced type, of pointers and typedefs.
    target: usize,
    members: Vec<Member>,
    parameters: usize,
}

#[derive(Debug)]
struct Member {
    name: String,
    target: usize,
    bit_offset: u32,
}

impl KernelTypes {
    /// Reads the running kernel's types.
    ///
    /// # Errors
    ///
    /// Without BTF, or when it is malformed.
    pub fn load() -> Result<Self, BtfError> {
        Self::parse(&std::fs::read(Path::new(PATH))?).ok_or(BtfError::Malformed)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| -> Option<u32> {
            Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
        };
        if bytes.get(..2)? != 0xeb9f_u16.to_ne_bytes() {
            return None;
        }
        let header = word(4)? as usize;
        let mut at = header + word(8)? as usize;
        let end = at + word(12)? as usize;
        let strings = header + word(16)? as usize;
        let string = |offset: u32| -> Option<&str> {
            let rest = bytes.get(strings + offset as usize..)?;
            std::str::from_utf8(rest.split(|byte| *byte == 0).next()?).ok()
        };
        let mut types = vec![Type { kind: 0, target: 0, members: Vec::new(), parameters: 0 }];
        let mut by_name = HashMap::new();
        while at < end {
            let (name, info, size_or_type) = (word(at)?, word(at + 4)?, word(at + 8)?);
            at += 12;
            let (kind, count) = ((info >> 24) & 0x1f, (info & 0xffff) as usize);
            let mut this =
                Type { kind, target: size_or_type as usize, members: Vec::new(), parameters: 0 };
            match kind {
                KIND_STRUCT | KIND_UNION => {
                    for index in 0..count {
                        let member = at + index * 12;
                        let offset = word(member + 8)?;
                        this.members.push(Member {
                            name: string(word(member)?)?.to_owned(),
                            target: word(member + 4)? as usize,
                            // With the flag, the upper byte is a bit field's width.
                            bit_offset: if info >> 31 == 1 { offset & 0xff_ffff } else { offset },
                        });
                    }
                    at += count * 12;
                }
                KIND_FUNC_PROTO => {
                    this.parameters = count;
                    at += count * 8;
                }
                KIND_ARRAY => at += 12,
                KIND_ENUM => at += count * 8,
                // Enumerations of 64 bits, sections of variables.
                19 | 15 => at += count * 12,
                // Integers, variables, tags of declarations.
                1 | 14 | 17 => at += 4,
                _ => {}
            }
            if matches!(kind, KIND_STRUCT | KIND_TYPEDEF) && name != 0 {
                by_name.insert(string(name)?.to_owned(), types.len());
            }
            types.push(this);
        }
        Some(Self { types, by_name })
    }

    fn named(&self, name: &str) -> Result<&Type, BtfError> {
        self.by_name
            .get(name)
            .and_then(|index| self.types.get(*index))
            .ok_or_else(|| BtfError::Missing(name.to_owned()))
    }

    /// Byte offset of a member, also of one inside unnamed structures and unions.
    fn offset(&self, structure: &str, member: &str) -> Result<u32, BtfError> {
        self.find(self.named(structure)?, member)
            .map(|bits| bits / 8)
            .ok_or_else(|| BtfError::Missing(format!("{structure}::{member}")))
    }

    fn find(&self, structure: &Type, wanted: &str) -> Option<u32> {
        structure.members.iter().find_map(|member| {
            if member.name == wanted {
                return Some(member.bit_offset);
            }
            let inner = self.types.get(member.target)?;
            (member.name.is_empty() && matches!(inner.kind, KIND_STRUCT | KIND_UNION))
                .then(|| self.find(inner, wanted))
                .flatten()
                .map(|bits| member.bit_offset + bits)
        })
    }

    /// How many arguments a raw tracepoint passes.
    fn tracepoint_arguments(&self, name: &str) -> Result<usize, BtfError> {
        let name = format!("btf_trace_{name}");
        let missing = || BtfError::Missing(name.clone());
        let pointer = self.types.get(self.named(&name)?.target).ok_or_else(missing)?;
        let function = self.types.get(pointer.target).ok_or_else(missing)?;
        if pointer.kind != KIND_PTR || function.kind != KIND_FUNC_PROTO {
            return Err(missing());
        }
        // The first parameter is the tracepoint's own.
        Ok(function.parameters.saturating_sub(1))
    }

    /// What the scheduler and task programs read.
    ///
    /// # Errors
    ///
    /// When the kernel lacks one of the structures.
    pub fn task_offsets(&self) -> Result<TaskOffsets, BtfError> {
        Ok(TaskOffsets {
            pid: self.offset("task_struct", "pid")?,
            tgid: self.offset("task_struct", "tgid")?,
            comm: self.offset("task_struct", "comm")?,
            exit_code: self.offset("task_struct", "exit_code")?,
            signal: self.offset("task_struct", "signal")?,
            signal_live: self.offset("signal_struct", "live")?,
            signal_stack: self.offset("task_struct", "sas_ss_sp")?,
            state: self
                .offset("task_struct", "__state")
                .or_else(|_| self.offset("task_struct", "state"))?,
            memory: self.offset("task_struct", "mm")?,
            code_start: self.offset("mm_struct", "start_code")?,
            switch_has_state: u32::from(self.tracepoint_arguments("sched_switch")? > 3),
        })
    }

    /// What the guard reads.
    ///
    /// # Errors
    ///
    /// When the kernel lacks one of the structures.
    pub fn uprobe_offsets(&self) -> Result<UprobeOffsets, BtfError> {
        Ok(UprobeOffsets {
            utask: self.offset("task_struct", "utask")?,
            return_instances: self.offset("uprobe_task", "return_instances")?,
            original: self.offset("return_instance", "orig_ret_vaddr")?,
            stack: self.offset("return_instance", "stack")?,
            next: self.offset("return_instance", "next")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_type_information_is_refused() {
        let Ok(bytes) = std::fs::read(PATH) else { return };
        for length in [0, 1, 23, 24, 100, bytes.len() / 2] {
            assert!(KernelTypes::parse(&bytes[..length]).is_none(), "{length} bytes");
        }
    }

    #[test]
    fn this_kernel_has_the_structures() {
        let Ok(bytes) = std::fs::read(PATH) else { return };
        let types = KernelTypes::parse(&bytes).expect("the kernel's own types");
        let task = types.task_offsets().expect("task_struct");
        assert_ne!(task.pid, task.tgid);
        assert!(types.offset("task_struct", "no_such_member").is_err());
    }
}
